//! Workers that are processes of another program, as the variable `HYPE_WORKER` names it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use hostile::Guest;
use hype_run::{CodeKind, Executor};

use crate::worker_processes::{copy_of_this_program, in_program, servers_of};
use crate::workers::{assert_value, staged};

#[test]
fn named_program_makes_the_calls() {
    in_program("worker_program::named_program_makes_the_calls", async || {
        let directory = tempfile::tempdir().unwrap();
        let program = copy_of_this_program(directory.path());
        let executor = Executor::in_workers(2).with_worker_program(&program);
        assert_eq!(executor.worker_refusal().await, None);
        assert_value(&staged(Guest::GOOD, CodeKind::Unchecked).await.run(&executor).await);
        let server = servers_of(std::process::id())[0];
        assert_eq!(std::fs::read_link(format!("/proc/{server}/exe")).unwrap(), program);
    });
}

/// Returns the reason why no workers start from `program`.
async fn refusal(program: &Path) -> String {
    let executor = Executor::in_workers(2).with_worker_program(program);
    let refusal = executor.worker_refusal().await.unwrap();
    // Calls run in this process.
    assert_value(&staged(Guest::GOOD, CodeKind::Checked).await.run(&executor).await);
    assert!(refusal.starts_with(program.to_str().unwrap()), "{refusal}");
    assert!(refusal.contains("name the path of hype-run"), "{refusal}");
    refusal
}

#[test]
fn program_without_hype_is_refused() {
    in_program("worker_program::program_without_hype_is_refused", async || {
        assert!(refusal("/bin/true".as_ref()).await.contains("has ended"));
        let missing = refusal("/missing/hype-run".as_ref()).await;
        assert!(missing.contains("No such file"), "{missing}");
    });
}
