//! What a run needs from the stage, each object verified over the very bytes that are then used.

use bytes::Bytes;
use futures::future::{OptionFuture, try_join, try_join_all};
use hype_stage::{Stage, StageError};
use hype_wire::{Digest, Failure, FailureKind, Payload, RunManifest, names};

use crate::executor::Executor;
use crate::run::refused;

/// The objects that a manifest names.
pub(crate) struct Inputs {
    /// The component, unless the executor has it compiled.
    pub(crate) component: Option<Bytes>,
    /// The arguments.
    pub(crate) arguments: Bytes,
    /// The staged files, in the manifest's order.
    pub(crate) files: Vec<Bytes>,
    /// How many bytes were read from the stage.
    pub(crate) fetched: u64,
}

/// The manifest of `run_id`, verified if its digest is known.
pub(crate) async fn manifest(
    stage: &Stage,
    run_id: &str,
    digest: Option<&Digest>,
) -> Result<RunManifest, Failure> {
    let name = names::manifest(run_id);
    let read = match digest {
        Some(digest) => stage.get_verified(&name, digest).await,
        None => stage.get(&name).await,
    };
    let bytes = read.map_err(|error| refused("the run manifest", &error))?;
    let manifest = RunManifest::from_bytes(&bytes)
        .map_err(|error| Failure::from_error(FailureKind::Incompatible, &error))?;
    if manifest.run_id == run_id {
        return Ok(manifest);
    }
    Err(Failure::new(
        FailureKind::Infrastructure,
        format!("{} is the manifest of run {}", stage.url_of(&name), manifest.run_id),
    ))
}

/// All that the manifest names, read in parallel.
pub(crate) async fn inputs(
    executor: &Executor,
    stage: &Stage,
    manifest: &RunManifest,
) -> Result<Inputs, Failure> {
    let component = &manifest.component;
    let read_component = OptionFuture::from((!executor.has(&component.blob.digest)).then(|| async {
        let what = format!("component {}", component.name);
        stage.get_blob(&component.blob).await.map_err(|error| refused(&what, &error))
    }));
    let read_files = try_join_all(manifest.files.iter().map(|file| async {
        let what = format!("file {}", file.path);
        stage.get_blob(&file.blob).await.map_err(|error| refused(&what, &error))
    }));
    let read_arguments = async {
        payload(stage, &manifest.arguments).await.map_err(|error| refused("the arguments", &error))
    };
    let ((component, files), arguments) = try_join(
        try_join(async { read_component.await.transpose() }, read_files),
        read_arguments,
    )
    .await?;
    let read = component.iter().chain(&files).map(|bytes| bytes.len() as u64);
    Ok(Inputs {
        fetched: read.sum::<u64>() + arguments.len() as u64,
        component,
        arguments,
        files,
    })
}

async fn payload(stage: &Stage, payload: &Payload) -> Result<Bytes, StageError> {
    match payload {
        Payload::Inline(bytes) => Ok(Bytes::copy_from_slice(bytes)),
        Payload::Staged { name, blob } => stage.get_verified(name, &blob.digest).await,
    }
}
