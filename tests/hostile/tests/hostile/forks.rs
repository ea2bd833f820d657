//! Programs that fork while they use hype. A fork has none of the threads of its parent, and must not end its workers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::mem::ManuallyDrop;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;

use hostile::Guest;
use hostile::forked::{Fork, in_fork};
use hype::RunEnvironment;
use hype::blocking::Submitter;
use hype_run::{CodeKind, Executor};
use test_guests::values::greet;
use tokio::runtime::Runtime;

use crate::worker_processes::{PROGRAM, in_program, processes_of, program, wait_until_gone};
use crate::workers::{assert_value, staged, workers};

async fn call(executor: &Executor) {
    assert_value(&staged(Guest::GOOD, CodeKind::Unchecked).await.run(executor).await);
}

#[test]
fn fork_has_workers_of_its_own() {
    in_program("forks::fork_has_workers_of_its_own", async || {
        let mut executor = ManuallyDrop::new(workers().await);
        call(&executor).await;
        let processes = processes_of(std::process::id());
        assert!(processes.len() >= 2, "{processes:?}");
        for exit in [libc::_exit, libc::exit] {
            in_fork(exit, || {
                // SAFETY: this is the copy of the fork, which doesn't use it afterwards.
                unsafe { ManuallyDrop::drop(&mut executor) };
                Runtime::new().unwrap().block_on(async {
                    let executor = workers().await;
                    call(&executor).await;
                    let processes = processes_of(std::process::id());
                    assert!(processes.len() >= 2, "{processes:?}");
                    drop(executor);
                    wait_until_gone(&processes);
                });
            });
            call(&executor).await;
            assert_eq!(processes_of(std::process::id()), processes);
        }
        drop(ManuallyDrop::into_inner(executor));
        wait_until_gone(&processes);
    });
}

/// Returns a submitter with a new stage in `directory`, so that the first run compiles its component.
fn local(directory: &Path, stage: &str) -> Submitter {
    Submitter::local_with(&format!("file://{}", directory.join(stage).display())).unwrap()
}

fn submit(submitter: &Submitter) -> hype::Result<String> {
    submitter.submit(greet("you".into()), &RunEnvironment::new())
}

/// Runs `test` in a program of its own, which does `work` with a directory. Variables choose a stage there.
fn in_submitting_program(test: &str, work: impl FnOnce(&Path)) {
    let directory = tempfile::tempdir().unwrap();
    if std::env::var_os(PROGRAM).is_some() {
        return work(directory.path());
    }
    conformance::build_guests();
    let mut program = program(test, directory.path());
    let chosen = format!("file://{}", directory.path().join("chosen").display());
    program.env("HYPE_STAGING", chosen).env("HYPE_SUBMITTER", "local");
    let status = program.status().unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn fork_submits_beside_its_parent() {
    in_submitting_program("forks::fork_submits_beside_its_parent", submit_beside_a_fork);
}

fn submit_beside_a_fork(directory: &Path) {
    let submitter = local(directory, "parent");
    let run = submitter.spawn(greet("you".into()), &RunEnvironment::new());
    let (mut submitter, mut run) = (ManuallyDrop::new(submitter), ManuallyDrop::new(run));
    let chosen = Submitter::ambient().unwrap();
    assert_eq!(submit(&submitter).unwrap(), "hello you");
    assert_eq!(submit(&chosen).unwrap(), "hello you");
    in_fork(libc::_exit, || {
        let own = local(directory, "fork");
        assert_eq!(submit(&own).unwrap(), "hello you");
        own.close().unwrap();
        assert_eq!(submit(&Submitter::ambient().unwrap()).unwrap(), "hello you");
        // SAFETY: this is the copy of the fork, which doesn't use it afterwards.
        let waited = unsafe { ManuallyDrop::take(&mut run) }.wait().unwrap_err();
        let closed = Submitter::clone(&submitter).close().unwrap_err();
        for error in [submit(&submitter).unwrap_err(), waited, closed] {
            assert!(error.to_string().contains("which has forked this one"), "{error}");
            assert!(error.report().contains("create a submitter in each process"), "{error:?}");
        }
        // SAFETY: as above. The drop doesn't wait for the thread of the parent.
        unsafe { ManuallyDrop::drop(&mut submitter) };
    });
    assert_eq!(ManuallyDrop::into_inner(run).wait().unwrap(), "hello you");
    assert_eq!(submit(&submitter).unwrap(), "hello you");
    ManuallyDrop::into_inner(submitter).close().unwrap();
    assert_eq!(submit(&chosen).unwrap(), "hello you");
}

#[test]
fn main_ends_in_a_fork() {
    in_submitting_program("forks::main_ends_in_a_fork", |_| {
        let process = std::process::id();
        let ended = catch_unwind(forking_main);
        let has_failed = !ended.is_ok_and(|status| status == ExitCode::SUCCESS);
        if process != std::process::id() {
            // SAFETY: ends the fork without the rest of the test.
            unsafe { libc::_exit(has_failed.into()) }
        }
        assert!(!has_failed);
    });
}

/// Submits, forks, and submits and ends in both processes.
#[hype::main]
fn forking_main() -> hype::Result<()> {
    submit(&Submitter::ambient()?)?;
    // SAFETY: the other threads of this program wait.
    let fork = unsafe { Fork::begin() };
    assert_eq!(submit(&Submitter::ambient()?)?, "hello you");
    fork.into_iter().for_each(Fork::wait);
    Ok(())
}
