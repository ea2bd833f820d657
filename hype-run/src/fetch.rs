//! What a run needs of what its manifest names, each object verified over the very bytes that are then used.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::future::try_join;
use futures::{StreamExt, TryStreamExt, stream};
use hype_stage::{Stage, StageError, StageErrorKind};
use hype_wire::{Digest, Failure, FailureKind, File, Payload, RunManifest, names};

use crate::blobs::Blobs;
use crate::scratch::Scratch;

/// The arguments and files that a manifest names.
pub(crate) struct Inputs {
    /// The arguments.
    pub(crate) arguments: Bytes,
    /// The staged files.
    pub(crate) files: FetchedFiles,
}

/// Files that were read, in a directory of this run's own if there are any. They never are in
/// memory as a whole.
pub(crate) struct FetchedFiles {
    paths: Vec<PathBuf>,
    _scratch: Option<Scratch>,
}

impl FetchedFiles {
    /// Places for as many files as `manifest` names.
    fn of(manifest: &RunManifest) -> std::io::Result<Self> {
        let count = manifest.files.len();
        let scratch = (count > 0).then(Scratch::new).transpose()?;
        let paths = scratch
            .iter()
            .flat_map(|scratch| (0..count).map(|index| scratch.path().join(index.to_string())));
        Ok(Self { paths: paths.collect(), _scratch: scratch })
    }

    /// Where the files are, in the manifest's order.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }
}

/// The manifest of `run_id`, verified if its digest is known.
pub(crate) async fn manifest(
    stage: &Stage,
    run_id: &str,
    digest: Option<&Digest>,
) -> Result<RunManifest, Failure> {
    let name = names::manifest(run_id);
    let read = match digest {
        Some(digest) => stage.get_verified(&name, digest, RunManifest::MAX_SIZE).await,
        None => stage.get(&name, RunManifest::MAX_SIZE).await,
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

/// How many files are read at once: each may be an open file, of which there are few.
const AT_ONCE: usize = 64;

/// The arguments and files that `manifest` names, read in parallel.
pub(crate) async fn inputs(blobs: &Blobs<'_>, manifest: &RunManifest) -> Result<Inputs, Failure> {
    let files = FetchedFiles::of(manifest).map_err(|error| {
        let what = "cannot make a directory for staged files";
        Failure {
            causes: vec![error.to_string()],
            ..Failure::new(FailureKind::Infrastructure, what)
        }
    })?;
    let places = manifest.files.iter().zip(files.paths());
    let saved: Vec<_> = places.map(|(file, to)| save(blobs, file, to)).collect();
    let saved = stream::iter(saved).buffer_unordered(AT_ONCE).try_collect::<()>();
    let arguments = async {
        payload(blobs, &manifest.arguments).await.map_err(|error| refused("the arguments", &error))
    };
    let ((), arguments) = try_join(saved, arguments).await?;
    Ok(Inputs { arguments, files })
}

async fn save(blobs: &Blobs<'_>, file: &File, to: &Path) -> Result<(), Failure> {
    let saved = blobs.save(&file.blob, to).await;
    saved.map_err(|error| refused(&format!("file {}", file.path), &error))
}

async fn payload(blobs: &Blobs<'_>, payload: &Payload) -> Result<Bytes, StageError> {
    match payload {
        Payload::Inline(bytes) => Ok(Bytes::copy_from_slice(bytes)),
        Payload::Staged { name, blob } => blobs.get_own(name, blob).await,
    }
}

/// The failure of a run that needs the object that the manifest names as `what`.
pub(crate) fn refused(what: &str, error: &StageError) -> Failure {
    let mut failure = infrastructure(error);
    if error.kind() == StageErrorKind::NotFound {
        failure.kind = FailureKind::Missing;
    }
    let advice = match error.kind() {
        StageErrorKind::Altered => {
            ": it is refused; remove it, and the next submit stages it again"
        }
        _ => "",
    };
    failure.message = format!("{what}: {}{advice}", failure.message);
    failure
}

/// What the stage could not give or take is nobody's fault who wrote the function.
pub(crate) fn infrastructure(error: &StageError) -> Failure {
    let mut failure = Failure::from_error(FailureKind::Infrastructure, error);
    failure.causes.extend(error.hint().map(|hint| format!("what may help: {hint}")));
    failure
}
