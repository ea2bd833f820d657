//! Programs whose executable is gone when their workers start. `tests/end-to-end/worker-starts` has more programs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use hostile::Guest;
use hostile::attack::runtime;
use hype_run::CodeKind;

use crate::worker_processes::{PROGRAM, copy_of_this_program, program_at};
use crate::workers::{assert_value, staged, workers};

/// Runs `test` in a copy of this program, which changes its own executable before it makes a call in a worker.
fn in_changed_program(test: &str, change: fn(&Path)) {
    if std::env::var_os(PROGRAM).is_some() {
        let own = std::env::current_exe().unwrap();
        assert!(own.starts_with(std::env::temp_dir()), "only a copy of this program is changed");
        change(&own);
        runtime().block_on(async {
            let executor = workers().await;
            assert_value(&staged(Guest::GOOD, CodeKind::Unchecked).await.run(&executor).await);
        });
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let copy = copy_of_this_program(directory.path());
    let status = program_at(&copy, test, directory.path()).status().unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn program_whose_executable_is_removed_has_workers() {
    let test = "worker_starts::program_whose_executable_is_removed_has_workers";
    in_changed_program(test, |own| std::fs::remove_file(own).unwrap());
}

#[test]
fn program_whose_executable_is_replaced_has_workers() {
    let test = "worker_starts::program_whose_executable_is_replaced_has_workers";
    in_changed_program(test, |own| {
        std::fs::remove_file(own).unwrap();
        std::fs::copy("/bin/false", own).unwrap();
    });
}
