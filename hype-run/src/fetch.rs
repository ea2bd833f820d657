//! Fetches the manifest and the arguments of a run, and verifies them.

use bytes::Bytes;
use hype_stage::{Stage, StageError, StageErrorKind};
use hype_wire::{Call, Digest, Failure, FailureKind, Payload, RunManifest, names};

use crate::blobs::Blobs;
use crate::run::RunRequest;

/// Returns the manifest in `request`, or fetches the one of `run_id`.
pub(crate) async fn requested_manifest(
    stage: &Stage,
    run_id: &str,
    request: &RunRequest,
) -> Result<RunManifest, Failure> {
    match &request.manifest {
        Some(manifest) => Ok(RunManifest::clone(manifest)),
        None => manifest(stage, run_id, request.digest.as_ref()).await,
    }
}

/// Fetches the manifest of `run_id`. Verifies it if its digest is known.
async fn manifest(
    stage: &Stage,
    run_id: &str,
    digest: Option<&Digest>,
) -> Result<RunManifest, Failure> {
    let name = names::manifest(run_id);
    let read = match digest {
        Some(digest) => stage.get_verified(&name, digest, RunManifest::MAX_SIZE).await,
        None => stage.get(&name, RunManifest::MAX_SIZE).await,
    };
    let bytes = read.map_err(|error| object_failure("the run manifest", &error))?;
    let manifest = RunManifest::from_bytes(&bytes)
        .map_err(|error| Failure::from_error(FailureKind::Incompatible, &error))?;
    if *manifest.run_id == *run_id {
        return Ok(manifest);
    }
    Err(Failure::new(
        FailureKind::Infrastructure,
        format!("{} is the manifest of run {}", stage.url_of(&name), manifest.run_id),
    ))
}

/// Returns the arguments in `request`, or fetches those of `call`.
pub(crate) async fn requested_arguments(
    blobs: &Blobs<'_>,
    request: &RunRequest,
    call: &Call,
) -> Result<Bytes, Failure> {
    match &request.arguments {
        Some(arguments) => Ok(arguments.clone()),
        None => arguments(blobs, call).await,
    }
}

/// Fetches the arguments of `call`.
pub(crate) async fn arguments(blobs: &Blobs<'_>, call: &Call) -> Result<Bytes, Failure> {
    let first = part(blobs, &call.arguments).await?;
    if call.more.is_empty() {
        return Ok(first);
    }
    let size = call.parts().map(Payload::size).fold(0, u64::saturating_add);
    if size > Payload::MAX_SIZE {
        let (function, maximum) = (call.function.plain_name(), Payload::MAX_SIZE);
        return Err(Failure::new(
            FailureKind::Resources,
            format!(
                "the arguments of `{function}` have {size} bytes, of {maximum} that they can have"
            ),
        ));
    }
    let mut bytes = Vec::from(first);
    for payload in &call.more {
        bytes.extend_from_slice(&part(blobs, payload).await?);
    }
    Ok(bytes.into())
}

async fn part(blobs: &Blobs<'_>, part: &Payload) -> Result<Bytes, Failure> {
    payload(blobs, part).await.map_err(|error| object_failure("the arguments", &error))
}

async fn payload(blobs: &Blobs<'_>, payload: &Payload) -> Result<Bytes, StageError> {
    match payload {
        Payload::Inline(bytes) => Ok(Bytes::copy_from_slice(bytes)),
        Payload::Staged { name, blob } => blobs.get_uncached(name, blob).await,
    }
}

/// Returns the failure of a run that cannot read an object; `what` describes the object in its message.
pub(crate) fn object_failure(what: &str, error: &StageError) -> Failure {
    let mut failure = infrastructure(error);
    if error.kind() == StageErrorKind::NotFound {
        failure.kind = FailureKind::Missing;
    }
    let advice = match error.kind() {
        StageErrorKind::Altered => {
            ": it is rejected; remove it, and the next submit stages it again"
        }
        _ => "",
    };
    failure.message = format!("{what}: {}{advice}", failure.message);
    failure
}

/// Converts an error of the stage to the failure of its run. The kind says that the function is not the
/// cause.
pub(crate) fn infrastructure(error: &StageError) -> Failure {
    let mut failure = Failure::from_error(FailureKind::Infrastructure, error);
    failure.causes.extend(error.advice().map(|hint| format!("what may help: {hint}")));
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use hype_wire::Blob;

    const VALUE: &str = "runs/run-2/value";

    fn inline(bytes: &[u8]) -> Payload {
        Payload::Inline(bytes.to_vec().into())
    }

    /// Fetches the arguments `[value, 1]` of a call, whose value in the stage is `blob`.
    async fn fetched(blob: Blob) -> Result<Bytes, Failure> {
        let stage = Stage::open("memory://fetch/parts").unwrap();
        stage.put(VALUE, Bytes::from_static(b"\xa5value")).await.unwrap();
        let mut call = Call::closure("p::f", inline(&[0x92]));
        call.more = vec![Payload::Staged { name: VALUE.to_owned(), blob }, inline(&[1])];
        arguments(&Blobs::new(&stage, None), &call).await
    }

    #[tokio::test]
    async fn parts_of_arguments_are_joined() {
        let joined = fetched(Blob::of(b"\xa5value")).await.unwrap();
        assert_eq!(joined, &b"\x92\xa5value\x01"[..]);
    }

    #[tokio::test]
    async fn altered_part_of_arguments_is_rejected() {
        let failure = fetched(Blob::of(b"\xa5other")).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Infrastructure);
        assert!(failure.message.contains("/value was altered"), "{}", failure.message);
    }

    #[tokio::test]
    async fn too_large_parts_are_rejected_unread() {
        let digest = Digest::of(b"");
        for size in [Payload::MAX_SIZE - 1, u64::MAX] {
            let failure = fetched(Blob { digest, size }).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Resources, "{}", failure.message);
        }
    }
}
