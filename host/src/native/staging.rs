//! Staging: uploads to the stage before a run starts.

#[cfg(feature = "local")]
pub(crate) mod artefact;
#[cfg(feature = "local")]
pub(crate) mod compiler;
pub(crate) mod directory;
pub(crate) mod files;
#[cfg(feature = "local")]
pub(crate) mod known;
pub(crate) mod local_stage;
pub(crate) mod unstaged;
pub(crate) mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hype_stage::{Source, Stage};
use hype_wire::{
    Blob, Call, ComponentRef, Digest, File, Job, Limits, Mount, Payload, RunId, RunManifest, names,
};

use crate::call::component::ComponentFunction;
use crate::environment::RunEnvironment;
use crate::error::Result;
#[cfg(feature = "local")]
use crate::staging::artefact::CachedArtefact;
use crate::staging::files::StagedFiles;
use crate::staging::unstaged::{UnstagedRun, UnstagedRuns};
use crate::staging::upload::{Upload, Uploads};

/// A run with its manifest, and the blobs that the manifest names.
#[derive(Debug)]
pub(crate) struct StagedRun {
    pub(crate) manifest_url: String,
    pub(crate) manifest_digest: Digest,
    pub(crate) manifest: Arc<RunManifest>,
    /// The manifest and the arguments, if they are not in the stage.
    pub(crate) unstaged: Option<UnstagedRun>,
    /// The names of the objects that belong to this run only.
    pub(crate) objects: Vec<String>,
    blobs: Vec<Upload>,
    /// The number of bytes that a runner writes to its disk for the run.
    pub(crate) disk: u64,
    #[cfg(feature = "local")]
    pub(crate) code: StagedCode,
}

/// The machine code of a run.
#[cfg(feature = "local")]
#[derive(Debug)]
pub(crate) struct StagedCode {
    /// `None` if the runner has to compile.
    pub(crate) cached: Option<CachedArtefact>,
    /// Whether the submitter has staged it and the component before, and the run isn't in the stage.
    pub(crate) is_known: bool,
}

/// The arguments of a run: a MessagePack array.
#[derive(Debug)]
pub(crate) enum RunArguments {
    /// The whole array.
    Whole(Bytes),
    /// An array with the value of another run, which is in the stage.
    AroundValue {
        /// The bytes before the value.
        head: Bytes,
        /// The object of the value, which exists until the array is staged.
        name: String,
        blob: Blob,
        /// The bytes after the value.
        rest: Bytes,
    },
}

/// The specification of a run, from which its manifest is built.
#[derive(Debug)]
pub(crate) struct RunSpec<'a> {
    pub(crate) run_id: &'a RunId,
    pub(crate) function: &'a ComponentFunction,
    pub(crate) arguments: RunArguments,
    pub(crate) env: &'a RunEnvironment,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) place: Option<String>,
    /// The platform for which machine code is staged; `None` if the runner compiles.
    #[cfg(feature = "local")]
    pub(crate) platform: Option<String>,
    /// The time after which the compilation is stopped.
    #[cfg(feature = "local")]
    pub(crate) compile_timeout: Option<Duration>,
    /// The records of the submitter for runs outside the stage, if this one needs no manifest there.
    pub(crate) unstaged: Option<&'a UnstagedRuns>,
}

impl StagedRun {
    /// Writes the manifest, and the arguments if they are large. [`put_blobs`](Self::put_blobs) must follow it: a
    /// garbage collection of the stage keeps the blobs that manifests name. If the run needs no manifest in the stage, has no
    /// files, and there is memory for its arguments, nothing is written.
    pub(crate) async fn begin(stage: &Stage, run: RunSpec<'_>) -> Result<Self> {
        let unstaged = run.unstaged_arguments();
        let is_unstaged = unstaged.is_some();
        let component = run.function.component();
        let bytes = Source::bytes(component.bytes().clone());
        let mut blobs = vec![Upload { blob: component.blob(), source: bytes }];
        let StagedFiles { files, directories } = StagedFiles::of(run.env).await?;
        #[cfg(feature = "local")]
        let code = run.code(is_unstaged).await?;
        let (files, sources): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let upload = |(file, source): (&File, PathBuf)| Upload {
            blob: file.blob,
            source: Source::file(source),
        };
        blobs.extend(files.iter().zip(sources).map(upload));
        let (arguments, kept, more) = match unstaged {
            Some((arguments, kept)) => (arguments, kept, Vec::new()),
            None => {
                let (arguments, more) = run.arguments.put(stage, run.run_id).await?;
                (arguments, None, more)
            }
        };
        let reference = ComponentRef { name: component.name().to_owned(), blob: component.blob() };
        let mut job = Job::new(reference);
        #[cfg(feature = "local")]
        if let Some(CachedArtefact { artefact, path }) = &code.cached {
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
        let mut call = Call::new(run.function.reference(), arguments);
        call.more = more;
        let mut manifest = RunManifest::new(run.run_id.clone(), job, call);
        manifest.place = run.place;
        let bytes = Bytes::from(manifest.to_bytes()?);
        let (name, manifest_digest) = (names::manifest(run.run_id), Digest::of(&bytes));
        let manifest = Arc::new(manifest);
        let (mut objects, mut unstaged) = (Vec::new(), None);
        if is_unstaged {
            unstaged = Some(UnstagedRun::new(Arc::clone(&manifest), kept));
        } else {
            stage.put(&name, bytes).await?;
            objects.push(name.clone());
        }
        objects.extend(manifest.call.parts().filter_map(|part| match part {
            Payload::Staged { name, .. } => Some(name.clone()),
            Payload::Inline(_) => None,
        }));
        Ok(Self {
            manifest_url: stage.url_of(&name),
            manifest_digest,
            manifest,
            unstaged,
            objects,
            blobs,
            disk,
            #[cfg(feature = "local")]
            code,
        })
    }

    /// Uploads the blobs that the stage doesn't have: the component, its machine code and the files of the environment.
    pub(crate) async fn put_blobs(&self, stage: &Stage, uploads: &Uploads) -> Result<()> {
        let put = uploads.finish(stage, self.blobs.clone()).await;
        #[cfg(feature = "local")]
        if let (Err(_), Some(cached)) = (&put, &self.code.cached) {
            cached.clone().evict_if_altered().await?;
        }
        put
    }
}

impl RunSpec<'_> {
    /// Returns the arguments of a run of which nothing is in the stage: those in the manifest, and those that are too large for
    /// it. Returns `None` for another run.
    fn unstaged_arguments(&self) -> Option<(Payload, Option<Bytes>)> {
        let has_files = !self.env.files().is_empty() || !self.env.dirs().is_empty();
        let runs = self.unstaged.filter(|_| !has_files)?;
        let RunArguments::Whole(arguments) = &self.arguments else { return None };
        match arguments.len() <= Payload::INLINE_LIMIT {
            true => Some((Payload::Inline(arguments.to_vec().into()), None)),
            false => {
                let kept = runs.arguments.hold(arguments)?;
                Some((Payload::Inline(Vec::new().into()), Some(kept)))
            }
        }
    }

    /// Finds or compiles the machine code.
    #[cfg(feature = "local")]
    async fn code(&self, is_unstaged: bool) -> Result<StagedCode> {
        let (component, platform) = (self.function.component(), self.platform.as_deref());
        let known = self.unstaged.filter(|_| is_unstaged).map(|runs| &runs.components);
        if let Some(cached) = known.and_then(|known| known.find(component, platform)) {
            return Ok(StagedCode { cached, is_known: true });
        }
        let cached = match platform.and_then(|name| name.parse().ok()) {
            Some(target) => CachedArtefact::of(component, target, self.compile_timeout).await?,
            None => None,
        };
        Ok(StagedCode { cached, is_known: false })
    }
}

fn limits(env: &RunEnvironment) -> Limits {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Limits {
        timeout_ms: env.timeout().map(ms),
        memory: env.memory(),
        result: env.max_value(),
        ..Limits::default()
    }
}

impl RunArguments {
    /// Writes the arguments to the stage if they are large. Returns the first part of the array, and the others.
    async fn put(self, stage: &Stage, run_id: &str) -> Result<(Payload, Vec<Payload>)> {
        match self {
            Self::Whole(arguments) => Ok((put_part(stage, run_id, arguments).await?, Vec::new())),
            Self::AroundValue { head, name, blob, rest } => {
                // A copy of its own, so that neither run depends on the other one's end.
                let copy = names::value(run_id);
                stage.copy(&name, &copy).await?;
                let mut more = vec![Payload::Staged { name: copy, blob }];
                if !rest.is_empty() {
                    more.push(put_part(stage, run_id, rest).await?);
                }
                Ok((Payload::Inline(Vec::from(head).into()), more))
            }
        }
    }
}

async fn put_part(stage: &Stage, run_id: &str, arguments: Bytes) -> Result<Payload> {
    if arguments.len() <= Payload::INLINE_LIMIT {
        return Ok(Payload::Inline(Vec::from(arguments).into()));
    }
    let name = names::arguments(run_id);
    let blob = stage.put_blob_at(&name, arguments).await?;
    Ok(Payload::Staged { name, blob })
}
