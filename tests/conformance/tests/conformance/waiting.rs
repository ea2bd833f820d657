//! Closures of the local runner that wait leave the cores to others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::time::Duration;

use conformance::loopback::{Loopback, response};
use futures::StreamExt;
use futures::future::try_join_all;
use hype::{HostDirectory, LocalRunner, RunEnvironment, Stage, Submitter};
use test_guests::http::fetch;
use test_guests::surroundings::say_then_wait_for;
use test_guests::values::greet;

/// The time in which a test must end. Without a place for one of its closures it would never end.
const TIMEOUT: Duration = Duration::from_secs(300);

fn cores() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// Runs `test` with a submitter that it shares with no other test, and its directory.
fn run(test: impl AsyncFnOnce(&Submitter, &tempfile::TempDir)) {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(&directory.path().join("stage")).unwrap();
    let submitter = Submitter::new(stage, LocalRunner::new().unwrap()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(TIMEOUT, test(&submitter, &directory)).await.unwrap();
    });
}

#[test]
fn eight_closures_per_core_sleep_at_once() {
    run(async |submitter, directory| {
        let mount = HostDirectory::new(directory.path()).mount_read_only("/signal");
        let env = RunEnvironment::new().with_mount(mount);
        let closure = || say_then_wait_for("waiting".into(), "/signal/go".into());
        // No more than 16, since each has a process.
        let runs: Vec<_> =
            (0..(8 * cores()).min(16)).map(|_| submitter.spawn(closure(), &env)).collect();
        for run in &runs {
            assert_eq!(run.logs().next().await.unwrap().text, "waiting");
        }
        std::fs::write(directory.path().join("go"), "").unwrap();
        for run in runs {
            assert_eq!(run.wait().await.unwrap(), "gone");
        }
    });
}

/// The closures that wait for responses take all workers that are kept, one per core.
#[test]
fn request_of_a_closure_makes_its_program_submit_another() {
    run(async |submitter, _| {
        let inner = submitter.clone();
        let server = Loopback::start(move |_, stream| {
            let greeting = inner.submit(greet("you".into()), &RunEnvironment::new());
            let greeting = futures::executor::block_on(greeting).unwrap();
            stream.write_all(&response("200 OK", &[], greeting.as_bytes()))
        });
        let env = RunEnvironment::new().allow_http_private(server.authority());
        let outer = (0..cores()).map(|_| submitter.submit(fetch(server.url("/")), &env));
        for (_, _, body) in try_join_all(outer).await.unwrap() {
            assert_eq!(body, "hello you");
        }
    });
}
