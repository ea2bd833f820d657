//! Ctrl-C cancels the run and removes its objects.

#![cfg(unix)]

use crate::hype::{Running, hype, target_directory};
use crate::package::{self, Package};

/// A function that prints a line when it starts, and runs for a minute unless it is cancelled.
const ENDLESS: &str = "\
use std::time::Duration;

#[hype::function]
pub fn wait() {
    println!(\"the closure waits\");
    std::thread::sleep(Duration::from_secs(60));
}
";

/// A program that runs the function; with an argument it stays for a minute after Ctrl-C.
const MAIN: &str = "\
struct Stubborn;

impl Drop for Stubborn {
    fn drop(&mut self) {
        eprintln!(\"the program stays\");
        std::thread::sleep(std::time::Duration::from_secs(60));
        std::process::exit(7);
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

/// Sends Ctrl-C while the closure runs.
fn interrupt(running: &mut Running) {
    running.wait_for("the closure waits");
    running.interrupt();
}

/// Another process lists, follows and cancels a run that is younger than its first lease.
#[test]
fn run_of_another_process_is_listed_followed_and_cancelled() {
    let package = Package::write("followed", ENDLESS);
    assert!(hype(&["build"]).in_package(&package).output().status.success());
    let component = package::target_directory().join("hype/followed.wasm");
    let call = hype(&["call", component.to_str().unwrap(), "wait"]);
    let (url, scratch) = (format!("file://{}", call.stage().display()), call.scratch());
    let other = |arguments: &[&str]| hype(arguments).with_env("HYPE_STAGING", &url).output();
    let mut call = call.start();
    call.wait_for("the closure waits");
    let listed = String::from_utf8(other(&["ps", "--json"]).stdout).unwrap();
    for part in ["\"function\":\"wait\"", "\"status\":\"running\"", "\"owner\":\"live\""] {
        assert!(listed.contains(part), "{listed}");
    }
    let id = listed.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap();
    let logs = String::from_utf8(other(&["logs", id]).stdout).unwrap();
    assert_eq!(logs, "the closure waits\n");
    let cancelled = other(&["cancel", id]);
    let errors = String::from_utf8_lossy(&cancelled.stderr);
    assert_eq!(String::from_utf8_lossy(&cancelled.stdout), format!("cancelled {id}\n"), "{errors}");
    assert_eq!((call.status(), call.runs()), (Some(3), 0));
    drop(scratch);
}

#[test]
fn interrupted_run_is_cancelled_and_removed() {
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
