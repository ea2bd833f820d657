//! Runs through a bucket of Google Cloud Storage, and how many requests they take.
//!
//! Where that is, is said by a variable of the process, in which submitter and runner find it. So
//! each test has a process of its own: it runs a test of this file that is for nobody else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::process::Command;

use bytes::Bytes;
use conformance::values::component;
use hype::{RunEnvironment, Submitter};
use hype_run::{Cache, CancellationToken, Executor, Output, Platform, precompile};
use hype_stage::Stage;
use hype_wire::{
    Artefact, Blob, ComponentRef, Digest, End, File, Payload, RunManifest, codec, names,
};
use test_guests::surroundings::read_surely;
use test_guests::values::{greet, reverse};
use test_storage_server::{Fault, Operation, Refusal, Request, Rule, Settings, StorageServer};

const BUCKET: &str = "bucket";

fn server() -> StorageServer {
    StorageServer::start(&Settings::new().with_bucket(BUCKET)).unwrap()
}

fn in_process(test: &str, server: &StorageServer) {
    in_process_with(test, server, &[]);
}

fn in_process_with(test: &str, server: &StorageServer, env: &[(&str, &str)]) {
    conformance::build_guests();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("STORAGE_EMULATOR_HOST", server.url())
        .envs(env.iter().copied())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}\n{errors}");
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

    // The first that the runner asks for is the manifest, the last that it writes the outcome.
    let position = |operation, name: &str| {
        let is =
            |request: &Request| request.operation == operation && request.object.ends_with(name);
        requests.iter().position(is).unwrap()
    };
    let begin = position(Operation::Read, "/manifest");
    let end = position(Operation::Write, "/outcome");
    let kinds = |requests: &[Request]| -> Vec<_> {
        requests.iter().map(|request| request.operation).collect()
    };
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

/// What `hype-run` does, with a run of its own in a stage that has it from the first.
#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST and other variables, which the test below sets"]
fn one_cached_run() {
    let run_id = std::env::var("RUN").unwrap();
    let code = Bytes::from(std::fs::read(std::env::var("CODE").unwrap()).unwrap());
    let text = Bytes::from_static(b"what the file says");
    let manifest = Bytes::from(reading(&run_id, &code, &text).to_bytes().unwrap());
    let name = names::manifest(&run_id);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let stage = Stage::open(&format!("gs://{BUCKET}")).unwrap();
        for bytes in [code, text] {
            stage.put(&names::blob(&Blob::of(&bytes).digest), bytes).await.unwrap();
        }
        stage.put(&name, manifest.clone()).await.unwrap();
        let request = hype_run::Request {
            manifest_url: stage.url_of(&name),
            digest: Some(Digest::of(&manifest)),
            attempt: 1,
            interrupt: CancellationToken::new(),
        };
        let executor = Executor::new().unwrap().with_cache(Cache::from_env());
        let output = Output::new(|_, _| {});
        let finished = hype_run::run(&executor, &request, output).await.unwrap();
        let End::Value(Payload::Inline(value)) = finished.outcome.end else {
            panic!("{:?}", finished.outcome.end);
        };
        assert_eq!(codec::from_slice::<String>(&value).unwrap(), "what the file says");
    });
}

/// A run that has machine code and reads a file. The component itself is of no use to it.
fn reading(run_id: &str, code: &[u8], text: &[u8]) -> RunManifest {
    let bytes = std::fs::read(component("test-guests")).unwrap();
    let component = ComponentRef { name: "test-guests.wasm".into(), blob: Blob::of(&bytes) };
    let mut arguments = codec::array_head(1);
    codec::append(&mut arguments, &"/data/file").unwrap();
    let arguments = Payload::Inline(arguments.into());
    let mut manifest = RunManifest::new(run_id, component, "read_surely", arguments);
    let platform = Platform::here().unwrap().name().to_owned();
    manifest.artefact = Some(Artefact { platform, blob: Blob::of(code) });
    manifest.files = vec![File { path: "/data/file".into(), blob: Blob::of(text) }];
    manifest
}

#[test]
fn a_cached_run_reads_its_manifest_alone() {
    conformance::build_guests();
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let bytes = std::fs::read(component("test-guests")).unwrap();
    let code = directory.path().join("code");
    std::fs::write(&code, precompile(&bytes, Platform::here().unwrap()).unwrap()).unwrap();
    let requests = |run: &str| -> Vec<(Operation, String)> {
        let before = server.requests().len();
        let (cache, code) = (directory.path().to_str().unwrap(), code.to_str().unwrap());
        let env = [("HYPE_CACHE", cache), ("RUN", run), ("CODE", code)];
        in_process_with("one_cached_run", &server, &env);
        let requests = server.requests().split_off(before);
        // What the test stages comes first: two blobs and the manifest.
        assert!(requests[2].object.ends_with("/manifest"), "{requests:?}");
        let of_the_run = requests[3..].iter();
        of_the_run.map(|request| (request.operation, request.object.clone())).collect()
    };
    let first = requests("run-1");
    let reads = first.iter().filter(|(operation, _)| *operation == Operation::Read);
    // Machine code comes in parts.
    let read: BTreeSet<&String> = reads.map(|(_, object)| object).collect();
    assert_eq!(read.len(), 3, "manifest, machine code and file: {first:?}");
    let outcome = (Operation::Write, "runs/run-2/outcome".to_owned());
    assert_eq!(requests("run-2"), [(Operation::Read, "runs/run-2/manifest".to_owned()), outcome]);
}
