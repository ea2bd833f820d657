//! A guest's `/tmp` holds no more than it may, and what is removed there is room again.

use hype_wire::Limits;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call;

const LIMIT: u64 = 4 << 20;

/// What a function of the guests gives, in a `/tmp` of 4 MiB.
fn run<T: DeserializeOwned>(function: &str, arguments: impl Serialize) -> T {
    let limits = Limits { tmp: Some(LIMIT), ..Limits::default() };
    call(function, arguments, |manifest| manifest.job.limits = limits).unwrap()
}

fn assert_full((taken, error): (u64, String), least: u64, most: u64) {
    assert_eq!(error, "StorageFull");
    assert!((least..=most).contains(&taken), "{taken} is not from {least} to {most}");
}

#[test]
fn one_large_file() {
    assert_full(run("fill", ("/tmp", u64::MAX)), LIMIT - (128 << 10), LIMIT);
}

#[test]
fn many_small_files() {
    assert_full(run("fill", ("/tmp", 1_u64)), 500, LIMIT / 8192);
}

#[test]
fn nothing_but_names() {
    assert_full(run("crowd", ("/tmp",)), 1000, LIMIT / 4096);
}

#[test]
fn files_that_were_removed_and_are_open() {
    let filled = run("fill_removed", ("/tmp", 1_u64 << 20));
    assert_full(filled, LIMIT - (1 << 20), LIMIT);
}

#[test]
fn files_that_are_longer_than_what_is_written() {
    let errors: Vec<String> = run("stretch", ("/tmp", LIMIT));
    assert_eq!(errors, ["StorageFull"; 3]);
}

#[test]
fn what_is_removed_or_cut_is_room_again() {
    let written: u64 = run("reuse", ("/tmp", 3_u64 << 20, 9));
    assert_eq!(written, 9 * 2 * (3 << 20));
}

#[test]
fn files_that_were_closed_are_not_open() {
    run::<()>("reopen", ("/tmp/a", 3000_u32));
}
