//! Runs through a bucket of Google Cloud Storage: how many requests they take, what is refused, and what
//! they live through.
//!
//! Where that is, is said by a variable of the process, in which submitter and runner find it. So
//! each test has a process of its own: it runs a test of this program that is for nobody else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod altered;
mod cached;
mod faults;
mod progress;
mod together;

use std::process::{Child, Command, Stdio};

use conformance::cases::values::component;
use hype::{Component, RunEnvironment, Submitter};
use test_guests::surroundings::read_surely;
use test_guests::values::{greet, reverse};
use test_storage_server::{Fault, Operation, Refusal, Request, Rule, Settings, StorageServer};

const BUCKET: &str = "bucket";

fn server() -> StorageServer {
    StorageServer::start(&Settings::new().with_bucket(BUCKET)).unwrap()
}

/// Runs the test of this module in a process that finds `server`. Returns what it told.
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

/// What the process told, which must end well.
fn ended(process: Child) -> String {
    let output = process.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}\n{errors}");
    told
}

/// The name of the object that holds the component of the guests.
fn component_object() -> String {
    let component = Component::open(component("test-guests")).unwrap();
    format!("some/prefix/blobs/{}", component.digest())
}

/// Runs `work` with a submitter whose stage is in the bucket.
fn submit<F: Future<Output = ()>>(work: impl FnOnce(Submitter) -> F) {
    conformance::build_guests();
    let submitter = Submitter::local_with(&format!("gs://{BUCKET}/some/prefix")).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(work(submitter));
}

#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the tests below set"]
fn one_greeting() {
    submit(|submitter| async move {
        let greeting = submitter.submit(greet("you".into()), &RunEnvironment::new()).await;
        assert_eq!(greeting.unwrap(), "hello you");
    });
}

#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the tests below set"]
fn large_things() {
    submit(|submitter| async move {
        // Several parts each: 40 MiB of arguments and of result, and a file.
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
fn arguments_files_and_results_of_many_parts_go_through_a_bucket() {
    let server = server();
    in_process("large_things", &server);
    assert!(server.count(Operation::CompleteUpload, "*") >= 5);
    assert!(server.unfinished_uploads(BUCKET).is_empty());
    let left = server.names(BUCKET);
    assert!(left.iter().all(|name| name.starts_with("some/prefix/blobs/")), "{left:?}");
}

#[test]
fn a_cached_submit_makes_few_requests() {
    let server = server();
    in_process("one_greeting", &server);
    let first = server.requests().len();
    in_process("one_greeting", &server);
    let requests = &server.requests()[first..];

    // The first that the runner reads is machine code, since it is handed the manifest; the last that it writes is the
    // outcome.
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
    // The manifest, so that no collection takes what it names; then whether that is there.
    assert_eq!(before, [Operation::Write, Operation::Head, Operation::Head], "before the run");
    let after = kinds(&requests[end + 1..]);
    // The outcome is read; then the value is here, and meanwhile manifest and outcome go.
    assert_eq!(after, [Operation::Read, Operation::Delete, Operation::Delete], "after the run");
}

/// So what a submit waits for after its run is one request.
#[test]
fn no_value_waits_for_what_is_to_be_removed() {
    let server = server();
    let refusal = Fault::Refuse(Refusal::new(403));
    server.inject(Rule::new(Operation::Delete, "*", refusal));
    in_process("one_greeting", &server);
    let left = server.names(BUCKET).into_iter().filter(|name| name.contains("/runs/")).count();
    assert_eq!(left, 2);
}
