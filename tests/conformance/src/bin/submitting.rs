//! A program that is ended at any moment, for the campaigns. It uses the submitter that variables choose, with a short
//! lease term.
//!
//! `submitting submit KIND DIRECTORY PADDING FAILS` runs a closure that leaves a mark in the directory, `submitting
//! attach` waits for the run whose id is the first line of the standard input, `submitting gc` collects. Each says on its
//! standard output what a line begins with: `volume`, `run`, `detached`, `value`, and of errors their class.

#![expect(clippy::unwrap_used, reason = "a test's program fails by panicking")]
#![expect(clippy::print_stdout, reason = "who started it reads there")]

use std::env::args;
use std::time::Duration;

use futures::StreamExt;
use hype::__internal::chosen_submitter_with_lease_term;
use hype::stage::{LEAST_AGE, Removal};
use hype::{Error, ErrorKind, HostDirectory, RunEnvironment, Submitter, VolumeRequest};
use test_guests::marks::leave_mark;

/// How long an owner that doesn't renew its lease may still be there.
const TERM: Duration = Duration::from_secs(2);

/// How long the closure takes.
const CLOSURE: Duration = Duration::from_millis(700);

#[hype::main]
async fn main() -> hype::Result<()> {
    let submitter = chosen_submitter_with_lease_term(TERM)?;
    match argument(1).as_str() {
        "submit" => submit(&submitter).await,
        "attach" => attach(&submitter).await,
        "gc" => collect(&submitter).await?,
        way => panic!("there is no way {way}"),
    }
    submitter.close().await
}

async fn submit(submitter: &Submitter) {
    let (kind, directory) = (argument(2), argument(3));
    let milliseconds = CLOSURE.as_millis().try_into().unwrap();
    let (padding, fails) = (argument(4).parse().unwrap(), argument(5).parse().unwrap());
    let marks = HostDirectory::new(&directory).mount_read_write("/marks");
    let mut env = RunEnvironment::new().with_mount(marks);
    if kind == "volume" {
        let volume = VolumeRequest::transient("local-disk", "10Mi");
        println!("volume {}", volume.name());
        env = env.with_mount(volume.mount_read_write("/volume"));
    }
    let run = submitter.spawn(leave_mark("/marks".into(), milliseconds, padding, fails), &env);
    println!("run {}", run.id());
    if kind == "detached" {
        let log = run.logs();
        match run.detach().await {
            Ok(id) => println!("detached {id}"),
            Err(error) => tell(error.into_run().wait().await),
        }
        // It ends with the run. One in this process lasts as long as that.
        log.for_each(|_| std::future::ready(())).await;
    } else {
        tell(run.wait().await);
    }
}

async fn attach(submitter: &Submitter) {
    let mut id = String::new();
    std::io::stdin().read_line(&mut id).unwrap();
    tell(submitter.attach::<String>(id.trim()).wait().await);
}

async fn collect(submitter: &Submitter) -> hype::Result<()> {
    for name in submitter.collect_leftovers(Removal::Real).await? {
        println!("{name}");
    }
    submitter.collect(LEAST_AGE, Removal::Real).await.map(drop)
}

fn tell(end: hype::Result<String>) {
    match end {
        Ok(value) => println!("value {}", value.trim()),
        Err(error) => println!("{} {}", class(&error), error.report().replace('\n', " | ")),
    }
}

fn class(error: &Error) -> &'static str {
    match error.kind() {
        _ if error.is_lost() => "lost",
        _ if error.failure().is_some() => "failure",
        ErrorKind::Input => "none",
        _ => "error",
    }
}

fn argument(number: usize) -> String {
    args().nth(number).unwrap()
}
