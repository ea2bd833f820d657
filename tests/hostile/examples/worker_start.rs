//! A program that makes one call, and prints `worker` if the call ran in a worker process, or else `program` and the reason.
//! Its first argument is a file to which each start of `main` appends a line. The others change the program before the call.
//!
//! `tests/end-to-end/worker-starts` builds it in many ways.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and a script reads the output"
)]

use std::io::Write;

use hostile::attack::runtime;
use hostile::{Guest, Staged};
use hype_run::Executor;
use hype_wire::End;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let starts = arguments.next().unwrap();
    let mut starts = std::fs::OpenOptions::new().create(true).append(true).open(starts).unwrap();
    starts.write_all(b"main\n").unwrap();
    let own = std::env::current_exe();
    let mut heap = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            "heap" => heap = vec![1_u8; 1 << 30],
            "remove" => std::fs::remove_file(own.as_ref().unwrap()).unwrap(),
            "replace" => {
                let own = own.as_ref().unwrap();
                std::fs::remove_file(own).unwrap();
                std::fs::copy("/bin/false", own).unwrap();
            }
            other => panic!("unknown argument {other}"),
        }
    }
    runtime().block_on(async {
        let executor = Executor::in_workers(2);
        let refusal = executor.worker_refusal().await;
        let outcome = Staged::new(&Guest::GOOD.component()).await.run(&executor).await;
        assert!(matches!(outcome.end, End::Value(_)), "{:?}", outcome.end);
        match refusal {
            None => println!("worker"),
            Some(reason) => println!("program: {reason}"),
        }
    });
    drop(heap);
}
