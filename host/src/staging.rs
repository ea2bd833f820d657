//! What a submitter puts into the stage before a run starts.

use std::time::Duration;

use bytes::Bytes;
use hype_stage::{Source, Stage};
use hype_wire::{
    Artefact, Blob, ComponentRef, Digest, File, Limits, Mount, Payload, RunManifest, names,
};

use crate::component::{Component, ComponentFunction};
use crate::environment::RunEnvironment;
use crate::error::Result;
use crate::files::StagedFiles;
use crate::upload::{Upload, Uploads};

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
pub(crate) async fn stage_run(
    stage: &Stage,
    blobs: &Uploads,
    run: Ingredients<'_>,
) -> Result<StagedManifest> {
    let component = run.function.component();
    let bytes = Source::bytes(component.bytes().clone());
    let mut uploads = vec![Upload { blob: component.blob(), source: bytes }];
    let artefact = add_artefact(component, run.platform.as_deref(), &mut uploads).await?;
    let StagedFiles { files, directories } = StagedFiles::of(run.env).await?;
    let (files, sources): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    uploads.extend(files.iter().zip(sources).map(|(file, source): (&File, _)| Upload {
        blob: file.blob,
        source: Source::file(source),
    }));
    blobs.finish(stage, uploads).await?;

    let component = ComponentRef { name: component.name().to_owned(), blob: component.blob() };
    let arguments = put_arguments(stage, run.run_id, run.arguments).await?;
    let mut manifest = RunManifest::new(run.run_id, component, run.function.name(), arguments);
    manifest.artefact = artefact;
    manifest.env = run.env.env().clone();
    manifest.files = files;
    manifest.directories = directories;
    manifest.mounts = run.mounts;
    manifest.limits = limits(run.env);
    let bytes = Bytes::from(manifest.to_bytes()?);
    let name = names::manifest(run.run_id);
    stage.put(&name, bytes.clone()).await?;
    Ok(StagedManifest { url: stage.url_of(&name), digest: Digest::of(&bytes) })
}

fn limits(env: &RunEnvironment) -> Limits {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Limits { timeout_ms: env.timeout().map(ms), memory: env.memory(), ..Limits::default() }
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
    let Some(CachedArtefact { artefact, path }) = CachedArtefact::of(component, platform).await?
    else {
        return Ok(None);
    };
    uploads.push(Upload { blob: artefact.blob, source: Source::file(path) });
    Ok(Some(artefact))
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

async fn put_arguments(stage: &Stage, run_id: &str, arguments: Bytes) -> Result<Payload> {
    if arguments.len() <= Payload::INLINE_LIMIT {
        return Ok(Payload::Inline(Vec::from(arguments).into()));
    }
    let name = names::arguments(run_id);
    let blob = Blob::of(&arguments);
    stage.put_blob_at(&name, &blob, &Source::bytes(arguments)).await?;
    Ok(Payload::Staged { name, blob })
}
