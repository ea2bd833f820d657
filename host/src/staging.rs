//! What a submitter puts into the stage before a run starts.

use bytes::Bytes;
use futures::future::try_join_all;
use hype_stage::{Source, Stage, Staged};
use hype_wire::{
    Artefact, Blob, ComponentRef, Digest, File, Limits, Mount, Payload, RunManifest, names,
};

use crate::component::{Component, ComponentFunction};
use crate::environment::RunEnvironment;
use crate::error::Result;

/// A manifest that stands in the stage.
#[derive(Debug)]
pub(crate) struct StagedManifest {
    pub(crate) url: String,
    pub(crate) digest: Digest,
}

/// What a run is made of, as the submitter knows it.
#[derive(Debug)]
pub(crate) struct Ingredients<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) function: &'a ComponentFunction,
    pub(crate) arguments: Bytes,
    pub(crate) env: &'a RunEnvironment,
    pub(crate) mounts: Vec<Mount>,
    /// The platform that machine code is wanted for.
    pub(crate) platform: Option<String>,
}

/// Stages the component, its machine code, the files of the environment and the arguments, then
/// the manifest that names them.
pub(crate) async fn stage_run(stage: &Stage, run: Ingredients<'_>) -> Result<StagedManifest> {
    let component = run.function.component();
    let mut uploads =
        vec![Upload { blob: component.blob(), source: Source::bytes(component.bytes().clone()) }];
    let artefact = add_artefact(component, run.platform.as_deref(), &mut uploads).await?;
    let mut files = Vec::new();
    for (path, source) in run.env.files() {
        let source = Source::file(source);
        let upload = Upload { blob: source.blob().await?, source };
        files.push(File { path: path.clone(), blob: upload.blob });
        uploads.push(upload);
    }
    upload_all(stage, uploads).await?;

    let component = ComponentRef { name: component.name().to_owned(), blob: component.blob() };
    let arguments = put_arguments(stage, run.run_id, run.arguments).await?;
    let mut manifest = RunManifest::new(run.run_id, component, run.function.name(), arguments);
    manifest.artefact = artefact;
    manifest.env = run.env.env().clone();
    manifest.files = files;
    manifest.mounts = run.mounts;
    manifest.limits = Limits {
        timeout_ms: run
            .env
            .timeout()
            .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        memory: run.env.memory(),
    };
    let bytes = Bytes::from(manifest.to_bytes()?);
    let name = names::manifest(run.run_id);
    stage.put(&name, bytes.clone()).await?;
    Ok(StagedManifest { url: stage.url_of(&name), digest: Digest::of(&bytes) })
}

/// A blob that a run needs, and where its bytes are if the stage lacks them.
struct Upload {
    blob: Blob,
    source: Source,
}

#[cfg(feature = "local")]
async fn add_artefact(
    component: &Component,
    platform: Option<&str>,
    uploads: &mut Vec<Upload>,
) -> Result<Option<Artefact>> {
    use crate::artefact::CachedArtefact;

    let Some(platform) = platform.and_then(|name| name.parse().ok()) else {
        return Ok(None);
    };
    let Some(cached) = CachedArtefact::of(component, platform).await? else {
        return Ok(None);
    };
    uploads.push(Upload { blob: cached.artefact.blob, source: cached.source() });
    Ok(Some(cached.artefact))
}

/// Without a compiler of our own, the runner's compiles.
#[cfg(not(feature = "local"))]
async fn add_artefact(
    _: &Component,
    _: Option<&str>,
    _: &mut Vec<Upload>,
) -> Result<Option<Artefact>> {
    Ok(None)
}

async fn upload_all(stage: &Stage, uploads: Vec<Upload>) -> Result<()> {
    let count = uploads.len();
    tracing::info!("uploading {count} {} to {}", files(count), stage.url());
    let staged = try_join_all(
        uploads
            .into_iter()
            .map(|upload| async move { stage.put_blob(&upload.blob, &upload.source).await }),
    );
    let staged = staged.await?;
    let new = staged.iter().filter(|staged| **staged == Staged::New).count();
    tracing::info!("uploading complete: {new} newly uploaded, {} cached", count - new);
    Ok(())
}

fn files(count: usize) -> &'static str {
    if count == 1 { "file" } else { "files" }
}

async fn put_arguments(stage: &Stage, run_id: &str, arguments: Bytes) -> Result<Payload> {
    if arguments.len() <= Payload::INLINE_LIMIT {
        return Ok(Payload::Inline(Vec::from(arguments).into()));
    }
    let name = names::arguments(run_id);
    let blob = Blob::of(&arguments);
    stage.put_as(&name, &blob, &Source::bytes(arguments)).await?;
    Ok(Payload::Staged { name, blob })
}
