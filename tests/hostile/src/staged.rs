//! A stage that contains a run which is ready to start.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hype_run::{CancellationToken, Executor, Finished, GuestOutput, RunRequest, Variables};
use hype_stage::Stage;
use hype_wire::{
    Blob, Call, ComponentRef, Digest, Failure, Job, Outcome, Payload, RunManifest, names,
};

const RUN: &str = "run-1";

/// A staged run of one component, in a temporary directory.
#[derive(Debug)]
pub struct Staged {
    /// The directory of the stage.
    pub directory: tempfile::TempDir,
    /// The manifest, which each run stages again.
    pub manifest: RunManifest,
    stage: Stage,
}

impl Staged {
    /// Stages `component`, without a manifest.
    pub async fn new(component: &[u8]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let stage = Stage::in_directory(directory.path()).expect("a stage");
        let blob = put(&stage, component).await;
        let component = ComponentRef { name: "hostile.wasm".to_owned(), blob };
        let arguments = Payload::Inline(vec![0x90].into());
        let manifest = RunManifest::new(
            RUN.parse().unwrap(),
            Job::new(component),
            Call::closure("hostile", arguments),
        );
        Self { directory, manifest, stage }
    }

    /// Stages `bytes`.
    pub async fn put(&self, bytes: &[u8]) -> Blob {
        put(&self.stage, bytes).await
    }

    /// Returns the staged machine code.
    pub async fn artefact(&self) -> Bytes {
        let artefact = self.manifest.job.artefact.as_ref().expect("machine code");
        self.stage.get_blob(&artefact.blob).await.expect("machine code in the stage")
    }

    /// Runs the manifest, verified by its digest.
    pub async fn run(&self, executor: &Executor) -> Outcome {
        self.run_with(executor, GuestOutput::new(|_, _| {}), true).await
    }

    /// Runs the manifest, verified by its digest if `is_verified`.
    pub async fn run_with(
        &self,
        executor: &Executor,
        output: GuestOutput,
        is_verified: bool,
    ) -> Outcome {
        let request = self.request(is_verified).await;
        let Finished { outcome, .. } =
            hype_run::run(executor, &request, output).await.expect("an outcome");
        outcome
    }

    /// Stages the manifest. Returns a request to run it, with its digest if `is_verified`.
    pub async fn request(&self, is_verified: bool) -> RunRequest {
        let bytes = Bytes::from(self.manifest.to_bytes().expect("a manifest"));
        let digest = is_verified.then(|| Digest::of(&bytes));
        let name = names::manifest(RUN);
        self.stage.put(&name, bytes).await.expect("a manifest in the stage");
        RunRequest {
            manifest_url: self.stage.url_of(&name),
            digest,
            manifest: None,
            arguments: None,
            key: None,
            attempt: 1,
            variables: Variables::none(),
            interrupt: CancellationToken::new(),
        }
    }
}

async fn put(stage: &Stage, bytes: &[u8]) -> Blob {
    let blob = Blob::of(bytes);
    let bytes = Bytes::copy_from_slice(bytes);
    stage.put(&names::blob(&blob.digest), bytes).await.expect("a blob in the stage");
    blob
}

/// Returns the message and all causes of a failure.
pub fn failure_text(failure: &Failure) -> String {
    format!("{}\n{}", failure.message, failure.causes.join("\n"))
}

/// Returns an output that counts its bytes, and the counter.
pub fn counting_output() -> (GuestOutput, Arc<Mutex<u64>>) {
    let count = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&count);
    (GuestOutput::new(move |_, bytes| *counter.lock().unwrap() += bytes.len() as u64), count)
}
