//! What a submitter puts into the stage before a run starts.

use bytes::Bytes;
use futures::future::try_join_all;
use hype_stage::{Stage, Staged};
use hype_wire::{Blob, ComponentRef, Digest, File, Limits, Mount, Payload, RunManifest, names};

use crate::component::ComponentFunction;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};

/// A manifest that stands in the stage.
#[derive(Debug)]
pub(crate) struct StagedManifest {
    pub(crate) url: String,
    pub(crate) digest: Digest,
}

/// Stages the component, the files of `env` and the arguments, then the manifest that names them.
pub(crate) async fn stage_run(
    stage: &Stage,
    run_id: &str,
    function: &ComponentFunction,
    arguments: Bytes,
    env: &RunEnvironment,
    mounts: Vec<Mount>,
) -> Result<StagedManifest> {
    let component = function.component();
    let mut blobs = vec![component.bytes().clone()];
    for source in env.files().values() {
        blobs.push(Bytes::from(std::fs::read(source).map_err(|error| {
            Error::input(format!("cannot read the file {}", source.display())).because(error)
        })?));
    }
    let blobs = upload(stage, blobs).await?;

    let component = ComponentRef {
        name: component.name().to_owned(),
        blob: blobs[0],
    };
    let arguments = put_arguments(stage, run_id, arguments).await?;
    let mut manifest = RunManifest::new(run_id, component, function.name(), arguments);
    manifest.env = env.env().clone();
    manifest.files = env.files().keys().cloned().zip(&blobs[1..]).map(file).collect();
    manifest.mounts = mounts;
    manifest.limits = Limits {
        timeout_ms: env.timeout().map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        memory: env.memory(),
    };
    let bytes = Bytes::from(manifest.to_bytes()?);
    let name = names::manifest(run_id);
    stage.put(&name, bytes.clone()).await?;
    Ok(StagedManifest {
        url: stage.url_of(&name),
        digest: Digest::of(&bytes),
    })
}

async fn upload(stage: &Stage, blobs: Vec<Bytes>) -> Result<Vec<Blob>> {
    let count = blobs.len();
    tracing::info!("uploading {count} {} to {}", files(count), stage.url());
    let uploads = blobs.into_iter().map(|bytes| stage.put_blob(bytes));
    let staged = try_join_all(uploads).await?;
    let new = staged.iter().filter(|(_, staged)| *staged == Staged::New).count();
    tracing::info!("uploading complete: {new} newly uploaded, {} cached", count - new);
    Ok(staged.into_iter().map(|(blob, _)| blob).collect())
}

fn files(count: usize) -> &'static str {
    if count == 1 { "file" } else { "files" }
}

fn file((path, blob): (String, &Blob)) -> File {
    File { path, blob: *blob }
}

async fn put_arguments(stage: &Stage, run_id: &str, arguments: Bytes) -> Result<Payload> {
    if arguments.len() <= Payload::INLINE_LIMIT {
        return Ok(Payload::Inline(Vec::from(arguments).into()));
    }
    let name = names::arguments(run_id);
    let blob = Blob::of(&arguments);
    stage.put(&name, arguments).await?;
    Ok(Payload::Staged { name, blob })
}
