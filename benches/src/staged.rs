//! Stages runs as a submitter does, ready to start.

use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use hype_run::{CancellationToken, CodeKind, Platform, RunRequest, Target, Variables, precompile};
use hype_stage::Stage;
use hype_wire::{
    Artefact, Blob, Call, ComponentRef, Digest, FunctionRef, Job, Payload, RunManifest, codec,
    names,
};

/// A stage in a temporary directory, with one component and its machine code.
pub(crate) struct Staged {
    stage: Stage,
    component: ComponentRef,
    artefact: Artefact,
    _directory: tempfile::TempDir,
}

impl Staged {
    /// Stages the component at `path`, and its checked machine code for this machine.
    pub(crate) async fn new(path: &Path) -> anyhow::Result<Self> {
        Self::with_code(path, CodeKind::Checked).await
    }

    /// Stages the component at `path`, and its machine code of `kind` for this machine.
    pub(crate) async fn with_code(path: &Path, kind: CodeKind) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let stage = Stage::in_directory(directory.path())?;
        let bytes = Bytes::from(std::fs::read(path)?);
        let platform = Platform::here().context("hype doesn't support this platform")?;
        let target = Target { platform, kind };
        let code = precompile(&bytes, target).map_err(anyhow::Error::from_boxed)?;
        let component = ComponentRef { name: path.display().to_string(), blob: Blob::of(&bytes) };
        let artefact = Artefact { platform: target.to_string(), blob: Blob::of(&code) };
        stage.put(&names::blob(&component.blob.digest), bytes).await?;
        stage.put(&names::blob(&artefact.blob.digest), code.into()).await?;
        Ok(Self { stage, component, artefact, _directory: directory })
    }

    /// Stages the run `run_id` of `function`; `arguments` is a MessagePack array.
    pub(crate) async fn run(
        &self,
        run_id: &str,
        function: &str,
        arguments: Vec<u8>,
    ) -> anyhow::Result<RunRequest> {
        self.run_function(run_id, FunctionRef::Closure(function.to_owned()), arguments).await
    }

    /// Stages the run `run_id` of any function; `arguments` is a MessagePack array.
    pub(crate) async fn run_function(
        &self,
        run_id: &str,
        function: FunctionRef,
        arguments: Vec<u8>,
    ) -> anyhow::Result<RunRequest> {
        let arguments = self.payload(run_id, arguments).await?;
        let call = Call::new(function, arguments);
        let job = Job::new(self.component.clone());
        let mut manifest = RunManifest::new(run_id.parse()?, job, call);
        manifest.job.artefact = Some(self.artefact.clone());
        let bytes = Bytes::from(manifest.to_bytes()?);
        let (name, digest) = (names::manifest(run_id), Digest::of(&bytes));
        self.stage.put(&name, bytes).await?;
        Ok(RunRequest {
            manifest_url: self.stage.url_of(&name),
            digest: Some(digest),
            manifest: None,
            arguments: None,
            key: None,
            attempt: 1,
            variables: Variables::none(),
            interrupt: CancellationToken::new(),
        })
    }

    async fn payload(&self, run_id: &str, arguments: Vec<u8>) -> anyhow::Result<Payload> {
        if arguments.len() <= Payload::INLINE_LIMIT {
            return Ok(Payload::Inline(arguments.into()));
        }
        let (name, blob) = (names::arguments(run_id), Blob::of(&arguments));
        self.stage.put(&name, arguments.into()).await?;
        Ok(Payload::Staged { name, blob })
    }
}

/// Encodes one argument as the MessagePack array of a call.
pub(crate) fn argument<T: serde::Serialize + serde::de::DeserializeOwned + 'static>(
    argument: T,
) -> anyhow::Result<Vec<u8>> {
    let mut bytes = codec::array_head(1);
    codec::append_owned(&mut bytes, argument)?;
    Ok(bytes)
}

/// Creates a tokio runtime with one thread for each processor.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
