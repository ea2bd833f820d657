//! Requests of a `hype-run` whose cache holds everything that the run needs.

use std::collections::BTreeSet;

use bytes::Bytes;
use conformance::cases::values::component;
use hype_run::{Cache, CancellationToken, Executor, GuestOutput, Platform, Variables, precompile};
use hype_stage::Stage;
use hype_wire::{
    Artefact, Blob, Call, ComponentRef, Digest, End, File, Job, Payload, RunManifest, codec, names,
};
use test_storage_server::Operation;

use super::{BUCKET, ended, server, start};

/// Runs `hype-run`'s library on a run whose objects are all in the stage.
#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST and other variables, which the test below sets"]
fn cached_run_succeeds() {
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
        let request = hype_run::RunRequest {
            manifest_url: stage.url_of(&name),
            digest: Some(Digest::of(&manifest)),
            manifest: None,
            arguments: None,
            key: None,
            attempt: 1,
            variables: Variables::none(),
            interrupt: CancellationToken::new(),
        };
        let executor = Executor::new().with_cache(Cache::from_env());
        let output = GuestOutput::new(|_, _| {});
        let finished = hype_run::run(&executor, &request, output).await.unwrap();
        let End::Value(Payload::Inline(value)) = finished.outcome.end else {
            panic!("{:?}", finished.outcome.end);
        };
        assert_eq!(codec::from_slice::<String>(&value).unwrap(), "what the file says");
    });
}

/// Builds the manifest of a run that has machine code and reads a file. The component itself isn't staged.
fn reading(run_id: &str, code: &[u8], text: &[u8]) -> RunManifest {
    let bytes = std::fs::read(component("test-guests")).unwrap();
    let component = ComponentRef { name: "test-guests.wasm".into(), blob: Blob::of(&bytes) };
    let mut arguments = codec::array_head(1);
    codec::append(&mut arguments, &"/data/file").unwrap();
    let arguments = Payload::Inline(arguments.into());
    let mut manifest = RunManifest::new(
        run_id.parse().unwrap(),
        Job::new(component),
        Call::closure("read_surely", arguments),
    );
    let platform = Platform::here().unwrap().name().to_owned();
    manifest.job.artefact = Some(Artefact { platform, blob: Blob::of(code) });
    manifest.job.files = vec![File { path: "/data/file".parse().unwrap(), blob: Blob::of(text) }];
    manifest
}

#[test]
fn cached_run_reads_only_its_manifest() {
    conformance::build_guests();
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    let bytes = std::fs::read(component("test-guests")).unwrap();
    let code = directory.path().join("code");
    std::fs::write(&code, precompile(&bytes, Platform::here().unwrap()).unwrap()).unwrap();
    let requests = |run: &str| -> Vec<(Operation, String)> {
        let before = server.requests().len();
        let (cache, code) = (directory.path().to_str().unwrap(), code.to_str().unwrap());
        let env = [("HYPE_CACHE", cache), ("RUN", run), ("CODE", code)];
        ended(start("cached::cached_run_succeeds", &server, &env));
        let requests = server.requests().split_off(before);
        // The test itself stages two blobs and the manifest first.
        assert!(requests[2].object.ends_with("/manifest"), "{requests:?}");
        let of_the_run = requests[3..].iter();
        of_the_run.map(|request| (request.operation, request.object.clone())).collect()
    };
    let first = requests("run-1");
    let reads = first.iter().filter(|(operation, _)| *operation == Operation::Read);
    // Machine code is read in several parts.
    let read: BTreeSet<&String> = reads.map(|(_, object)| object).collect();
    assert_eq!(read.len(), 3, "manifest, machine code and file: {first:?}");
    let outcome = (Operation::Write, "runs/run-2/outcome".to_owned());
    assert_eq!(requests("run-2"), [(Operation::Read, "runs/run-2/manifest".to_owned()), outcome]);
}
