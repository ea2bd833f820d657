//! A program that makes one call, and prints `worker` if the call ran in a worker process, or else `program` and the reason.
//! Its first argument is a file to which each start of `main` appends a line. The others change the program before the call:
//!
//! - `heap` fills a heap of 1 GiB.
//! - `remove` removes the executable, and `replace` puts another one in its place.
//! - `fork` makes the same call in forks: before the program's own, and twice after it.

use std::fs;
use std::io::Write;
use std::path::Path;

use hype_run::Executor;
use hype_wire::End;
use tokio::runtime::Runtime;

use crate::forked::in_fork;
use crate::guest::Guest;
use crate::staged::Staged;

/// Runs the program with the arguments of this process.
///
/// # Panics
///
/// Panics if the call fails, or if a call of a fork runs elsewhere than that of the program.
#[expect(clippy::print_stdout, reason = "a script reads the output")]
pub fn main() {
    let mut arguments = std::env::args().skip(1);
    let starts = arguments.next().expect("a file for the starts of `main`");
    let mut starts = fs::OpenOptions::new().create(true).append(true).open(starts).unwrap();
    starts.write_all(b"main\n").unwrap();
    let own = std::env::current_exe();
    let (mut heap, mut forks) = (Vec::new(), false);
    for argument in arguments {
        match argument.as_str() {
            "heap" => heap = vec![1_u8; 1 << 30],
            "remove" => fs::remove_file(own.as_ref().unwrap()).unwrap(),
            "replace" => replace(own.as_ref().unwrap()),
            "fork" => forks = true,
            other => panic!("unknown argument {other}"),
        }
    }
    let place = if forks { place_beside_forks() } else { place_of_a_call() };
    println!("{place}");
    drop(heap);
}

/// Makes a call, and returns where it ran: `worker`, or `program` and the reason.
///
/// # Panics
///
/// Panics if the call fails.
pub fn place_of_a_call() -> String {
    Runtime::new().unwrap().block_on(place(&Executor::in_workers(2)))
}

async fn place(executor: &Executor) -> String {
    let refusal = executor.worker_refusal().await;
    let outcome = Staged::new(&Guest::GOOD.component()).await.run(executor).await;
    assert!(matches!(outcome.end, End::Value(_)), "{:?}", outcome.end);
    refusal.map_or_else(|| "worker".to_owned(), |reason| format!("program: {reason}"))
}

/// Makes the same call in this process and in forks of it, and returns where it ran.
fn place_beside_forks() -> String {
    in_fork(libc::_exit, || drop(place_of_a_call()));
    let (runtime, executor) = (Runtime::new().unwrap(), Executor::in_workers(2));
    let first = runtime.block_on(place(&executor));
    for exit in [libc::_exit, libc::exit] {
        in_fork(exit, || assert_eq!(place_of_a_call(), first));
        assert_eq!(runtime.block_on(place(&executor)), first, "after the end of a fork");
    }
    first
}

fn replace(own: &Path) {
    fs::remove_file(own).unwrap();
    fs::copy("/bin/false", own).unwrap();
}
