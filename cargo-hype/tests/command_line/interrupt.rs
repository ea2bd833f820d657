//! Ctrl-C: what runs is cancelled, and nothing of it stays.

#![cfg(unix)]

use crate::hype::{Running, hype, target_directory};
use crate::package::Package;

/// A function that says so when it runs, and runs until it is stopped.
const ENDLESS: &str = "\
use std::time::Duration;

#[hype::function]
pub fn wait() {
    println!(\"the closure waits\");
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}
";

/// A program that runs it; with an argument it cannot be cancelled.
const MAIN: &str = "\
struct Stubborn;

impl Drop for Stubborn {
    fn drop(&mut self) {
        eprintln!(\"the program stays\");
        loop {
            std::thread::park();
        }
    }
}

#[hype::main]
async fn main() -> hype::Result<()> {
    let _stubborn = std::env::args().nth(1).map(|_| Stubborn);
    endless::wait().await
}
";

fn endless() -> Package {
    Package::write_program("endless", ENDLESS, MAIN)
}

/// Ctrl-C while the closure runs.
fn interrupt(running: &mut Running) {
    running.wait_for("the closure waits");
    assert_eq!(running.runs(), 1);
    running.interrupt();
}

#[test]
fn a_run_is_cancelled_and_leaves_nothing() {
    let package = endless();
    let mut program = hype(&["run"]).in_program(&package).start();
    interrupt(&mut program);
    assert_eq!((program.status(), program.runs()), (Some(130), 0));

    let component = target_directory().join("hype/endless.wasm");
    let mut call = hype(&["call", component.to_str().unwrap(), "wait"]).start();
    interrupt(&mut call);
    assert_eq!((call.status(), call.runs()), (Some(130), 0));

    let mut program = hype(&["run", "--", "stubborn"]).in_program(&package).start();
    interrupt(&mut program);
    program.wait_for("the program stays");
    program.interrupt();
    assert_eq!(program.status(), Some(130));
}
