//! Runs through a bucket of Google Cloud Storage: number of requests, rejected objects, and tolerated faults.
//!
//! Submitter and runner find the bucket by a variable of the process. So each test starts a new process, which runs
//! one of the ignored tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod altered;
mod cached;
mod checked;
mod concurrent_staging;
mod faults;
mod listed;
mod progress;

use std::process::{Child, Command, Stdio};

use conformance::cases::values::component;
use hype::{Component, LocalRunner, RunEnvironment, Stage, Submitter};
use test_guests::surroundings::read_surely;
use test_guests::values::{greet, reverse};
use test_storage_server::{Fault, Operation, Refusal, Request, Rule, Settings, StorageServer};

const BUCKET: &str = "bucket";

fn server() -> StorageServer {
    StorageServer::start(&Settings::new().with_bucket(BUCKET)).unwrap()
}

/// Runs the ignored test in a process that uses `server`. Returns its standard output.
fn in_process(test: &str, server: &StorageServer) -> String {
    ended(start(test, server, &[]))
}

fn start(test: &str, server: &StorageServer, variables: &[(&str, &str)]) -> Child {
    conformance::build_guests();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("bucket::{test}"), "--ignored", "--nocapture"])
        .env("STORAGE_EMULATOR_HOST", server.url())
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Returns the standard output of the process, which must succeed.
fn ended(process: Child) -> String {
    let output = process.wait_with_output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}\n{errors}");
    stdout
}

/// Returns the name of the object that holds the guests' component.
fn component_object() -> String {
    let component = Component::open(component("test-guests")).unwrap();
    format!("some/prefix/blobs/{}", component.digest())
}

/// Runs `work` with a submitter whose stage is in the bucket.
fn submit<F: Future<Output = ()>>(work: impl FnOnce(Submitter) -> F) {
    conformance::build_guests();
    let runner = LocalRunner::new().unwrap().with_staged_runs().unwrap();
    let submitter = Submitter::new(stage(), runner).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(work(submitter));
}

fn stage() -> Stage {
    Stage::open_or_create(&format!("gs://{BUCKET}/some/prefix")).unwrap()
}

#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the tests below set"]
fn submitted_greeting_is_returned() {
    submit(|submitter| async move {
        let greeting = submitter.submit(greet("you".into()), &RunEnvironment::new()).await;
        assert_eq!(greeting.unwrap(), "hello you");
    });
}

#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the tests below set"]
fn large_arguments_files_and_results_round_trip() {
    submit(|submitter| async move {
        // Arguments and result of 40 MiB each, and a file of 20 MiB: several parts each.
        let bytes: Vec<u8> = (0..40 << 20).map(|index: u32| (index >> 12) as u8).collect();
        let env = RunEnvironment::new();
        let reversed = submitter.submit(reverse(bytes.clone()), &env).await.unwrap();
        assert!(reversed.iter().rev().eq(&bytes));
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "staged part by part\n".repeat(1 << 20);
        std::fs::write(file.path(), &text).unwrap();
        let env = env.with_file(file.path(), "/data/file");
        let read = submitter.submit(read_surely("/data/file".into()), &env).await.unwrap();
        assert!(read == text);
    });
}

#[test]
fn multipart_arguments_files_and_results_cross_a_bucket() {
    let server = server();
    in_process("large_arguments_files_and_results_round_trip", &server);
    assert!(server.count(Operation::CompleteUpload, "*") >= 5);
    assert!(server.unfinished_uploads(BUCKET).is_empty());
    let left = server.names(BUCKET);
    assert!(left.iter().all(|name| name.starts_with("some/prefix/blobs/")), "{left:?}");
}

#[test]
fn cached_submit_makes_few_requests() {
    let server = server();
    in_process("submitted_greeting_is_returned", &server);
    let first = server.requests().len();
    in_process("submitted_greeting_is_returned", &server);
    let requests = &server.requests()[first..];

    // The runner is handed the manifest, so its first read is machine code; its last write is the outcome.
    let position = |operation, name: &str| {
        let is =
            |request: &Request| request.operation == operation && request.object.ends_with(name);
        requests.iter().position(is).unwrap()
    };
    let end = position(Operation::Write, "/outcome");
    let kinds = |requests: &[Request]| -> Vec<_> {
        requests.iter().map(|request| request.operation).collect()
    };
    let begin = requests.iter().position(|request| request.operation == Operation::Read).unwrap();
    let before = kinds(&requests[..begin]);
    // The manifest is written first, so that garbage collection keeps what it names; then its blobs are looked up.
    assert_eq!(before, [Operation::Write, Operation::Head, Operation::Head], "before the run");
    let after = kinds(&requests[end + 1..]);
    // The value is available after one read; manifest and outcome are deleted concurrently.
    assert_eq!(after, [Operation::Read, Operation::Delete, Operation::Delete], "after the run");
}

#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the tests below set"]
fn two_greetings_are_returned() {
    conformance::build_guests();
    let submitter = Submitter::new(stage(), LocalRunner::new().unwrap()).unwrap();
    let greeting = || submitter.submit(greet("you".into()), &RunEnvironment::new());
    let both = async { (greeting().await.unwrap(), greeting().await.unwrap()) };
    let both = tokio::runtime::Runtime::new().unwrap().block_on(both);
    assert_eq!(both, ("hello you".to_owned(), "hello you".to_owned()));
}

#[test]
fn awaited_local_runs_need_the_machine_code_alone() {
    let server = server();
    in_process("submitted_greeting_is_returned", &server);
    let first = server.requests().len();
    in_process("two_greetings_are_returned", &server);
    let requests = &server.requests()[first..];
    // Component and machine code are looked up, and the code is read in one part or in several.
    let (heads, reads): (Vec<_>, Vec<_>) =
        requests.iter().map(|request| request.operation).partition(|it| *it == Operation::Head);
    assert_eq!(heads.len(), 2);
    assert!(!reads.is_empty() && reads.iter().all(|it| *it == Operation::Read), "{reads:?}");
}

#[test]
fn denied_cleanup_does_not_fail_the_submit() {
    let server = server();
    let refusal = Fault::Refuse(Refusal::new(403));
    server.inject(Rule::new(Operation::Delete, "*", refusal));
    in_process("submitted_greeting_is_returned", &server);
    let left = server.names(BUCKET).into_iter().filter(|name| name.contains("/runs/")).count();
    assert_eq!(left, 2);
}
