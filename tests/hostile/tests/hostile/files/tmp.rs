//! The quota of a guest's `/tmp`.

use std::ops::RangeInclusive;

use hype_wire::{Access, Limits, Mount};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call;

const LIMIT: u64 = 4 << 20;

/// Calls a function of the test guests with a `/tmp` of 4 MiB.
fn run<T: DeserializeOwned>(function: &str, arguments: impl Serialize) -> T {
    let limits = Limits { tmp: Some(LIMIT), ..Limits::default() };
    call(function, arguments, |manifest| manifest.job.limits = limits).unwrap()
}

/// Checks that a guest filled `/tmp`, after it had written `expected` bytes or files.
fn assert_full((written, error): (u64, String), expected: RangeInclusive<u64>) {
    assert_eq!(error, "StorageFull");
    assert!(expected.contains(&written), "{written} is not in {expected:?}");
}

#[test]
fn large_file_fills_tmp() {
    assert_full(run("fill", ("/tmp", u64::MAX)), LIMIT - (128 << 10)..=LIMIT);
}

#[test]
fn small_files_fill_tmp() {
    assert_full(run("fill", ("/tmp", 1_u64)), 500..=LIMIT / 8192);
}

#[test]
fn empty_files_fill_tmp() {
    assert_full(run("crowd", ("/tmp",)), 1000..=LIMIT / 4096);
}

#[test]
fn removed_open_files_fill_tmp() {
    let filled = run("fill_removed", ("/tmp", 1_u64 << 20));
    assert_full(filled, LIMIT - (1 << 20)..=LIMIT);
}

#[test]
fn sparse_file_cannot_exceed_the_quota() {
    let errors: Vec<String> = run("stretch", ("/tmp", LIMIT));
    assert_eq!(errors, ["StorageFull"; 3]);
}

#[test]
fn removed_and_truncated_files_free_space() {
    let written: u64 = run("reuse", ("/tmp", 3_u64 << 20, 9));
    assert_eq!(written, 9 * 2 * (3 << 20));
}

#[test]
fn closed_files_do_not_count_as_open() {
    run::<()>("reopen", ("/tmp/a", 3000_u32));
}

#[test]
fn renames_links_and_failed_calls_are_counted_exactly() {
    let filled = run("churn_and_fill", ("/tmp", 100_u32));
    assert_full(filled, LIMIT - (64 << 10)..=LIMIT);
}

#[test]
fn entry_of_a_full_tmp_can_be_replaced() {
    let count: u64 = run("replace_in_full", ("/tmp", 50_u32));
    assert!((1000..=LIMIT / 4096).contains(&count));
}

#[test]
fn files_cannot_move_between_tmp_and_a_mount() {
    const CROSS_DEVICE: Option<i32> = Some(75);
    let mount = tempfile::tempdir().unwrap();
    for (from, to) in [("/tmp/a", "/data/b"), ("/data/a", "/tmp/b")] {
        let errors: Vec<Option<i32>> = call("rename_and_link", (from, to), |manifest| {
            let source = mount.path().to_str().unwrap().to_owned();
            let path = "/data".parse().unwrap();
            manifest.job.mounts = vec![Mount { source, path, access: Access::ReadWrite }];
        })
        .unwrap();
        assert_eq!(errors, [CROSS_DEVICE; 2]);
    }
}
