use std::fmt::Debug;

use hype_wire::{End, Lease, Outcome, Payload, RunManifest, WireError};

/// Decodes bytes as an outcome, at the submitter.
pub(crate) fn outcome(bytes: &[u8]) -> bool {
    let outcome =
        match read("outcome", bytes, Outcome::MAX_SIZE, Outcome::from_bytes, Outcome::to_bytes) {
            Some(outcome) => outcome,
            None => return false,
        };
    if let End::Failure(failure) = &outcome.end {
        // Messages are bounded for any input.
        assert!(failure.message.len() <= 16 << 10);
        assert!(failure.causes.len() <= 32 && failure.backtrace.len() <= 256);
        assert_eq!(failure.clone().shortened(), *failure);
    }
    true
}

/// Decodes bytes as a manifest, in the runner.
pub(crate) fn manifest(bytes: &[u8]) -> bool {
    let manifest = read(
        "manifest",
        bytes,
        RunManifest::MAX_SIZE,
        RunManifest::from_bytes,
        RunManifest::to_bytes,
    );
    let Some(manifest) = manifest else { return false };
    let size = manifest.call.arguments.size();
    assert!(
        matches!(&manifest.call.arguments, Payload::Staged { .. }) || size <= bytes.len() as u64
    );
    assert!(manifest.job.limits.timeout().is_none() == manifest.job.limits.timeout_ms.is_none());
    true
}

/// Decodes bytes as a lease, at a program that attaches.
pub(crate) fn lease(bytes: &[u8]) -> bool {
    read("lease", bytes, Lease::MAX_SIZE, Lease::from_bytes, Lease::to_bytes).is_some()
}

/// Decodes `bytes`, and asserts that the object encodes and decodes to an equal object.
fn read<T: PartialEq + Debug>(
    kind: &str,
    bytes: &[u8],
    max_size: u64,
    from_bytes: fn(&[u8]) -> Result<T, WireError>,
    to_bytes: fn(&T) -> Result<Vec<u8>, WireError>,
) -> Option<T> {
    let object = match from_bytes(bytes) {
        Ok(object) => object,
        Err(error) => {
            assert!(error.to_string().len() <= 4096, "{} bytes", error.to_string().len());
            return None;
        }
    };
    assert!(bytes.len() as u64 <= max_size, "a {kind} of {} bytes is accepted", bytes.len());
    let written = match to_bytes(&object) {
        Ok(written) => written,
        Err(error) => panic!("cannot encode the {kind} again: {error}"),
    };
    match from_bytes(&written) {
        Ok(again) => assert_eq!(again, object),
        Err(error) => panic!("cannot decode the {kind} again: {error}"),
    }
    Some(object)
}
