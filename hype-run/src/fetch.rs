//! What a run needs of what its manifest names, each object verified over the very bytes that are then used.

use bytes::Bytes;
use hype_stage::{Stage, StageError, StageErrorKind};
use hype_wire::{Call, Digest, Failure, FailureKind, Payload, RunManifest, names};

use crate::blobs::Blobs;

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

/// The arguments of `call`.
pub(crate) async fn arguments(blobs: &Blobs<'_>, call: &Call) -> Result<Bytes, Failure> {
    payload(blobs, &call.arguments).await.map_err(|error| refused("the arguments", &error))
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
    failure.causes.extend(error.advice().map(|hint| format!("what may help: {hint}")));
    failure
}
