//! Runs that stand in a stage ready to start, as a submitter leaves them.

use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use hype_run::{CancellationToken, Platform, Request, Variables, precompile};
use hype_stage::Stage;
use hype_wire::{
    Artefact, Blob, Call, ComponentRef, Digest, Job, Payload, RunManifest, codec, names,
};

/// A stage in a directory of its own, with one component and its machine code.
pub(crate) struct Staged {
    stage: Stage,
    component: ComponentRef,
    artefact: Artefact,
    _directory: tempfile::TempDir,
}

impl Staged {
    /// Stages the component at `path`, and machine code of it for this machine.
    pub(crate) async fn new(path: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let stage = Stage::in_directory(directory.path())?;
        let bytes = Bytes::from(std::fs::read(path)?);
        let platform = Platform::here().context("this machine is no platform of hype's")?;
        let code = precompile(&bytes, platform).map_err(anyhow::Error::from_boxed)?;
        let component = ComponentRef { name: path.display().to_string(), blob: Blob::of(&bytes) };
        let artefact = Artefact { platform: platform.name().into(), blob: Blob::of(&code) };
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
    ) -> anyhow::Result<Request> {
        let payload = self.payload(run_id, arguments).await?;
        let mut manifest = RunManifest::new(
            run_id,
            Job::new(self.component.clone()),
            Call::closure(function, payload),
        );
        manifest.job.artefact = Some(self.artefact.clone());
        let bytes = Bytes::from(manifest.to_bytes()?);
        let (name, digest) = (names::manifest(run_id), Digest::of(&bytes));
        self.stage.put(&name, bytes).await?;
        Ok(Request {
            manifest_url: self.stage.url_of(&name),
            digest: Some(digest),
            manifest: None,
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

/// One argument, as the MessagePack array that a call takes.
pub(crate) fn argument<T: serde::Serialize + serde::de::DeserializeOwned + 'static>(
    argument: T,
) -> anyhow::Result<Vec<u8>> {
    let mut bytes = codec::array_head(1);
    codec::append_owned(&mut bytes, argument)?;
    Ok(bytes)
}

/// A runtime to wait in, with as many threads as there are processors.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
