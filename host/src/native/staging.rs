//! What a submitter puts into the stage before a run starts.

#[cfg(feature = "local")]
pub(crate) mod artefact;
pub(crate) mod directory;
pub(crate) mod files;
#[cfg(any(feature = "local", feature = "docker"))]
pub(crate) mod local_stage;
pub(crate) mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hype_stage::{Source, Stage};
use hype_wire::{
    Call, ComponentRef, Digest, File, Job, Limits, Mount, Payload, RunManifest, names,
};

#[cfg(feature = "local")]
use crate::call::component::Component;
use crate::call::component::ComponentFunction;
use crate::environment::RunEnvironment;
use crate::error::Result;
#[cfg(feature = "local")]
use crate::staging::artefact::CachedArtefact;
use crate::staging::files::StagedFiles;
use crate::staging::upload::{Upload, Uploads};

/// A run whose manifest stands in the stage, and the blobs that it names.
#[derive(Debug)]
pub(crate) struct StagedRun {
    pub(crate) manifest_url: String,
    pub(crate) manifest_digest: Digest,
    pub(crate) manifest: Arc<RunManifest>,
    /// What stands in the stage for this run alone.
    pub(crate) objects: Vec<String>,
    blobs: Vec<Upload>,
    /// How many bytes a runner writes to its disk to run it.
    pub(crate) disk: u64,
    #[cfg(feature = "local")]
    kept: Option<CachedArtefact>,
}

/// What a run is made of, as the submitter knows it.
#[derive(Debug)]
pub(crate) struct Ingredients<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) function: &'a ComponentFunction,
    pub(crate) arguments: Bytes,
    pub(crate) env: &'a RunEnvironment,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) place: Option<String>,
    /// The platform that machine code is wanted for.
    #[cfg(feature = "local")]
    pub(crate) platform: Option<String>,
}

impl StagedRun {
    /// Writes the manifest, and the arguments if they are large. The blobs come after it: whoever
    /// collects the stage knows by the manifest that they are needed.
    pub(crate) async fn begin(stage: &Stage, run: Ingredients<'_>) -> Result<Self> {
        let component = run.function.component();
        let bytes = Source::bytes(component.bytes().clone());
        let mut blobs = vec![Upload { blob: component.blob(), source: bytes }];
        let StagedFiles { files, directories } = StagedFiles::of(run.env).await?;
        let (files, sources): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let upload = |(file, source): (&File, PathBuf)| Upload {
            blob: file.blob,
            source: Source::file(source),
        };
        blobs.extend(files.iter().zip(sources).map(upload));
        let arguments = put_arguments(stage, run.run_id, run.arguments).await?;
        let reference = ComponentRef { name: component.name().to_owned(), blob: component.blob() };
        let mut job = Job::new(reference);
        #[cfg(feature = "local")]
        let kept = kept_artefact(component, run.platform.as_deref()).await?;
        #[cfg(feature = "local")]
        if let Some(CachedArtefact { artefact, path }) = &kept {
            blobs.push(Upload { blob: artefact.blob, source: Source::file(path) });
            job.artefact = Some(artefact.clone());
        }
        job.env = run.env.env().clone();
        let disk = files.iter().map(|file| file.blob.size).sum();
        job.files = files;
        job.directories = directories;
        job.mounts = run.mounts;
        job.limits = limits(run.env);
        job.seed = run.env.seed();
        job.powers = run.env.powers().to_wire()?;
        let call = Call::closure(run.function.name(), arguments);
        let mut manifest = RunManifest::new(run.run_id, job, call);
        manifest.place = run.place;
        let bytes = Bytes::from(manifest.to_bytes()?);
        let name = names::manifest(run.run_id);
        stage.put(&name, bytes.clone()).await?;
        let mut objects = vec![name.clone()];
        if let Payload::Staged { name, .. } = &manifest.call.arguments {
            objects.push(name.clone());
        }
        Ok(Self {
            manifest_url: stage.url_of(&name),
            manifest_digest: Digest::of(&bytes),
            manifest: Arc::new(manifest),
            objects,
            blobs,
            disk,
            #[cfg(feature = "local")]
            kept,
        })
    }

    /// Makes sure that the stage has the blobs: the component, its machine code, the files of the
    /// environment.
    pub(crate) async fn put_blobs(&self, stage: &Stage, uploads: &Uploads) -> Result<()> {
        let put = uploads.finish(stage, self.blobs.clone()).await;
        #[cfg(feature = "local")]
        if let (Err(_), Some(kept)) = (&put, &self.kept) {
            kept.clone().forget_if_altered().await?;
        }
        put
    }
}

/// The machine code of `component` for `platform`; without one, the runner compiles.
#[cfg(feature = "local")]
async fn kept_artefact(
    component: &Component,
    platform: Option<&str>,
) -> Result<Option<CachedArtefact>> {
    match platform.and_then(|name| name.parse().ok()) {
        Some(platform) => CachedArtefact::of(component, platform).await,
        None => Ok(None),
    }
}

fn limits(env: &RunEnvironment) -> Limits {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Limits { timeout_ms: env.timeout().map(ms), memory: env.memory(), ..Limits::default() }
}

async fn put_arguments(stage: &Stage, run_id: &str, arguments: Bytes) -> Result<Payload> {
    if arguments.len() <= Payload::INLINE_LIMIT {
        return Ok(Payload::Inline(Vec::from(arguments).into()));
    }
    let name = names::arguments(run_id);
    let blob = stage.put_blob_at(&name, arguments).await?;
    Ok(Payload::Staged { name, blob })
}
