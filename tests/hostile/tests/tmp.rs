//! A guest's `/tmp` holds no more than it may, and what is removed there is room again.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use conformance::values::component;
use hostile::Staged;
use hostile::shape::{executor, runtime};
use hype_wire::{End, Failure, Limits, Payload, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;

const LIMIT: u64 = 4 << 20;

/// What a function of the guests gives, in a `/tmp` of 4 MiB.
fn run<T: DeserializeOwned>(function: &str, arguments: impl Serialize) -> Result<T, Failure> {
    conformance::build_guests();
    let component = std::fs::read(component("test-guests")).unwrap();
    let outcome = runtime().block_on(async {
        let mut staged = Staged::new(&component).await;
        staged.manifest.function = function.to_owned();
        staged.manifest.arguments = Payload::Inline(codec::to_vec(&arguments).unwrap().into());
        staged.manifest.limits = Limits { tmp: Some(LIMIT), ..Limits::default() };
        staged.run(executor()).await
    });
    match outcome.end {
        End::Value(Payload::Inline(bytes)) => Ok(codec::from_slice(&bytes).unwrap()),
        End::Value(value) => panic!("{value:?}"),
        End::Failure(failure) => Err(failure),
    }
}

fn assert_full((taken, error): (u64, String), least: u64, most: u64) {
    assert_eq!(error, "StorageFull");
    assert!((least..=most).contains(&taken), "{taken} is not from {least} to {most}");
}

#[test]
fn one_large_file() {
    assert_full(run("fill", ("/tmp", u64::MAX)).unwrap(), LIMIT - (128 << 10), LIMIT);
}

#[test]
fn many_small_files() {
    assert_full(run("fill", ("/tmp", 1_u64)).unwrap(), 500, LIMIT / 8192);
}

#[test]
fn nothing_but_names() {
    assert_full(run("crowd", ("/tmp",)).unwrap(), 1000, LIMIT / 4096);
}

#[test]
fn files_that_were_removed_and_are_open() {
    let filled = run("fill_removed", ("/tmp", 1_u64 << 20)).unwrap();
    assert_full(filled, LIMIT - (1 << 20), LIMIT);
}

#[test]
fn files_that_are_longer_than_what_is_written() {
    let errors: Vec<String> = run("stretch", ("/tmp", LIMIT)).unwrap();
    assert_eq!(errors, ["StorageFull"; 3]);
}

#[test]
fn what_is_removed_or_cut_is_room_again() {
    let written: u64 = run("reuse", ("/tmp", 3_u64 << 20, 9)).unwrap();
    assert_eq!(written, 9 * 2 * (3 << 20));
}

#[test]
fn directories_in_directories_go_with_the_run() {
    run::<()>("nest", ("/tmp", 900_u32)).unwrap();
    let runs = std::fs::read_dir(std::env::temp_dir()).unwrap().map(|entry| entry.unwrap().path());
    let mut left =
        runs.filter(|run| run.join("tmp/1/in").exists() || run.join("removed-1").exists());
    assert_eq!(left.next(), None);
}

#[test]
fn files_that_were_closed_are_not_open() {
    run::<()>("reopen", ("/tmp/a", 3000_u32)).unwrap();
}
