use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The digest and the size of an immutable staged object.
///
/// ```
/// use hype_wire::Blob;
///
/// assert_eq!(Blob::of(b"component").size, 9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// The digest of the object's bytes.
    pub digest: Digest,
    /// The size of the object, in bytes.
    pub size: u64,
}

impl Blob {
    /// Returns the digest and the size of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self { digest: Digest::of(bytes), size: bytes.len() as u64 }
    }
}
