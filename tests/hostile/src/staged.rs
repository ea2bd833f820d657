//! A stage with a run in it that is ready to start.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hype_run::{CancellationToken, Executor, Finished, Output, Request, Variables};
use hype_stage::Stage;
use hype_wire::{
    Blob, Call, ComponentRef, Digest, Failure, Job, Outcome, Payload, RunManifest, names,
};

const RUN: &str = "run-1";

/// A run of one component, in a directory of its own.
#[derive(Debug)]
pub struct Staged {
    /// Where the stage is.
    pub directory: tempfile::TempDir,
    /// The manifest as it is staged.
    pub manifest: RunManifest,
    stage: Stage,
}

impl Staged {
    /// Stages `component`, and no run yet.
    pub async fn new(component: &[u8]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let stage = Stage::in_directory(directory.path()).expect("a stage");
        let blob = put(&stage, component).await;
        let component = ComponentRef { name: "hostile.wasm".to_owned(), blob };
        let arguments = Payload::Inline(vec![0x90].into());
        let manifest =
            RunManifest::new(RUN, Job::new(component), Call::closure("hostile", arguments));
        Self { directory, manifest, stage }
    }

    /// Stages `bytes` too.
    pub async fn put(&self, bytes: &[u8]) -> Blob {
        put(&self.stage, bytes).await
    }

    /// Runs what the manifest says, which a trusted way vouches for.
    pub async fn run(&self, executor: &Executor) -> Outcome {
        self.run_with(executor, Output::new(|_, _| {}), true).await
    }

    /// Runs what the manifest says, with or without somebody who vouches for it.
    pub async fn run_with(
        &self,
        executor: &Executor,
        output: Output,
        is_vouched_for: bool,
    ) -> Outcome {
        let request = self.request(is_vouched_for).await;
        let Finished { outcome, .. } =
            hype_run::run(executor, &request, output).await.expect("an outcome");
        outcome
    }

    /// Stages the manifest. Returns the request to run it, with its digest if `is_vouched_for`.
    pub async fn request(&self, is_vouched_for: bool) -> Request {
        let bytes = Bytes::from(self.manifest.to_bytes().expect("a manifest"));
        let digest = is_vouched_for.then(|| Digest::of(&bytes));
        let name = names::manifest(RUN);
        self.stage.put(&name, bytes).await.expect("a manifest in the stage");
        Request {
            manifest_url: self.stage.url_of(&name),
            digest,
            manifest: None,
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

/// All that a failure says.
pub fn told(failure: &Failure) -> String {
    format!("{}\n{}", failure.message, failure.causes.join("\n"))
}

/// Counts the bytes of an output.
pub fn counted() -> (Output, Arc<Mutex<u64>>) {
    let count = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&count);
    (Output::new(move |_, bytes| *counter.lock().unwrap() += bytes.len() as u64), count)
}
