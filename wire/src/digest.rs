use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::blob::Blob;

/// A BLAKE3 digest: 32 bytes, displayed as 64 lower-case hexadecimal digits.
///
/// ```
/// use hype_wire::Digest;
///
/// let digest = Digest::of(b"component");
/// assert_eq!(digest.to_string().parse(), Ok(digest));
/// assert_eq!(digest.short().len(), 12);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        blake3::hash(bytes).into()
    }

    /// Returns the first 12 digits, enough to distinguish objects in messages.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

/// Computes the [`Blob`] of bytes that arrive in pieces.
///
/// ```
/// use hype_wire::{Blob, BlobHasher};
///
/// let mut hasher = BlobHasher::default();
/// hasher.update(b"comp");
/// hasher.update(b"onent");
/// assert_eq!(hasher.finish(), Blob::of(b"component"));
/// ```
#[derive(Debug, Default)]
pub struct BlobHasher {
    hasher: blake3::Hasher,
    size: u64,
}

impl BlobHasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Returns the blob of the bytes so far.
    pub fn finish(&self) -> Blob {
        Blob { digest: self.hasher.finalize().into(), size: self.size }
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The error of a text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDigest(String);

impl fmt::Display for InvalidDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a BLAKE3 digest, which has 64 hexadecimal digits", self.0)
    }
}

impl std::error::Error for InvalidDigest {}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        blake3::Hash::from_hex(text).map(Self::from).map_err(|_| InvalidDigest(text.to_owned()))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_bytes::ByteArray::<32>::deserialize(deserializer).map(|bytes| Self(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_parses_back() {
        let digest = Digest::of(b"hype");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.to_string().len(), 64);
        assert!(digest.to_string().starts_with(&digest.short()));
    }

    #[test]
    fn invalid_digest_is_quoted() {
        let error = "c0ffee".parse::<Digest>().unwrap_err();
        assert!(error.to_string().starts_with("`c0ffee` is not a BLAKE3 digest"));
    }
}
