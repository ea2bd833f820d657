//! The program of the campaigns, which is ended at random moments. It uses the submitter that variables choose, with
//! a short lease term.
//!
//! - `submitting submit KIND DIRECTORY PADDING FAILS` runs a closure that creates a mark file in the directory.
//! - `submitting attach` waits for the run whose id is the first line of the standard input.
//! - `submitting ps`, `logs`, `describe` and `cancel` do what the commands of `cargo hype` do, for that run.
//! - `submitting gc` collects leftovers.
//!
//! Each line of its standard output begins with a keyword: `volume`, `run`, `detached`, `value`, or the class of an
//! error.

#![expect(clippy::unwrap_used, reason = "a test's program fails by panicking")]
#![expect(clippy::print_stdout, reason = "tests read its standard output")]

use std::env::args;
use std::time::Duration;

use futures::StreamExt;
use hype::__internal::chosen_submitter_with_lease_term;
use hype::run::{LogOptions, RunInfo, RunScope};
use hype::stage::{CollectMode, MIN_COLLECT_AGE};
use hype::{Error, ErrorKind, HostDirectory, RunEnvironment, Submitter, VolumeRequest};
use test_guests::marks::leave_mark;

/// The lease term: how long after the last renewal the owner counts as alive.
const TERM: Duration = Duration::from_secs(2);

/// The duration of the closure's sleep.
const CLOSURE: Duration = Duration::from_millis(700);

#[hype::main]
async fn main() -> hype::Result<()> {
    let submitter = chosen_submitter_with_lease_term(TERM)?;
    match argument(1).as_str() {
        "submit" => submit(&submitter).await,
        "attach" => attach(&submitter).await,
        "ps" => list(&submitter).await,
        "logs" => follow(&submitter).await,
        "describe" => describe(&submitter).await,
        "cancel" => cancel(&submitter).await,
        "gc" => collect(&submitter).await?,
        mode => panic!("unknown mode {mode}"),
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
            Err(error) => print_end(error.into_run().wait().await),
        }
        // The log ends with the run. A local run ends with this process, so wait for it.
        log.for_each(|_| std::future::ready(())).await;
    } else {
        print_end(run.wait().await);
    }
}

async fn attach(submitter: &Submitter) {
    print_end(submitter.attach::<String>(&read_id()).wait().await);
}

async fn list(submitter: &Submitter) {
    let id = read_id();
    let mut runs = submitter.runs(RunScope::All);
    while let Some(run) = runs.next().await {
        match run {
            Ok(run) if run.id == id => print_status(&run),
            Ok(_) => {}
            Err(error) => print_error(&error),
        }
    }
}

async fn follow(submitter: &Submitter) {
    let mut lines = submitter.logs(&read_id(), LogOptions { tail: None, follow: true });
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) => println!("line {}", line.text),
            Err(error) => print_error(&error),
        }
    }
}

async fn describe(submitter: &Submitter) {
    match submitter.describe(&read_id()).await {
        Ok(details) => print_status(&details.info),
        Err(error) => print_error(&error),
    }
}

async fn cancel(submitter: &Submitter) {
    match submitter.cancel(&read_id()).await {
        Ok(()) => println!("cancelled the run"),
        Err(error) => print_error(&error),
    }
}

fn read_id() -> String {
    let mut id = String::new();
    std::io::stdin().read_line(&mut id).unwrap();
    id.trim().to_owned()
}

fn print_status(run: &RunInfo) {
    println!("{} {} {run:?}", run.status.name(), run.owner);
}

fn print_error(error: &Error) {
    println!("{} {}", class(error), error.report().replace('\n', " | "));
}

async fn collect(submitter: &Submitter) -> hype::Result<()> {
    let leftovers = submitter.collect_leftovers(CollectMode::Delete).await?;
    for name in &leftovers.removed {
        println!("{name}");
    }
    leftovers.check()?;
    submitter.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.map(drop)
}

fn print_end(end: hype::Result<String>) {
    match end {
        Ok(value) => println!("value {}", value.trim()),
        Err(error) => print_error(&error),
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
