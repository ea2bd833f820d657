//! The proof of an outcome where no termination line is available.
//!
//! A termination line is lost with the Pod or container that wrote it. A runner that receives the run's
//! key seals its outcome with it, so that a holder of the key detects a forged outcome. The key
//! itself never passes through the stage.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::error::WireError;
use crate::object;

/// The secret key of one run: 32 random bytes, written as 64 lower-case hexadecimal digits.
///
/// ```
/// use hype_wire::{Authenticity, RunKey, seal, unseal};
///
/// let key = RunKey::new([7; 32]); // real keys are random
/// assert_eq!(key.reveal().parse::<RunKey>()?, key);
/// assert_eq!(format!("{key:?}"), "RunKey");
///
/// let sealed = seal(b"outcome".to_vec(), &key)?;
/// assert_eq!(unseal(sealed.clone(), Some(&key))?, (b"outcome".to_vec(), Authenticity::Verified));
/// assert!(unseal(sealed, Some(&RunKey::new([8; 32]))).is_err());
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RunKey([u8; 32]);

impl RunKey {
    /// Creates a key from `bytes`, which must be random.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the key as hexadecimal digits.
    pub fn reveal(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// Derives the key for another use, so that an object sealed for one use is not accepted for another.
    pub(crate) fn derive(&self, context: &str) -> Self {
        Self(blake3::derive_key(context, &self.0))
    }
}

impl FromStr for RunKey {
    type Err = WireError;

    fn from_str(text: &str) -> Result<Self, WireError> {
        blake3::Hash::from_hex(text.trim()).map(|hash| Self(*hash.as_bytes())).map_err(|_| {
            WireError::new("the text is not the key of a run, which has 64 hexadecimal digits")
        })
    }
}

impl fmt::Debug for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunKey")
    }
}

/// An outcome's bytes and their message authentication code. The field's name distinguishes it from a
/// plain outcome.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    sealed: (Bytes, Bytes),
}

/// The result of verifying an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authenticity {
    /// The outcome is sealed with the run's key.
    Verified,
    /// The outcome is not verified, since no key was given.
    Unverified,
}

/// Seals the bytes of an outcome with `key`.
///
/// # Errors
///
/// Returns an error if the outcome can't be encoded, since it exceeds 4 GiB.
pub fn seal(outcome: Vec<u8>, key: &RunKey) -> Result<Vec<u8>, WireError> {
    let mac = mac(&outcome, key).as_bytes().to_vec();
    object::to_vec(&Sealed { sealed: (outcome.into(), mac.into()) })
}

/// Returns the bytes of a sealed or plain outcome, and whether `key` verifies them.
///
/// # Errors
///
/// Returns an error if there is a key and the outcome is not sealed with it.
pub fn unseal(bytes: Vec<u8>, key: Option<&RunKey>) -> Result<(Vec<u8>, Authenticity), WireError> {
    let sealed = object::from_slice::<Sealed>(&bytes).ok().map(|sealed| sealed.sealed);
    match (sealed, key) {
        (None, None) => Ok((bytes, Authenticity::Unverified)),
        (Some((outcome, _)), None) => Ok((outcome.into(), Authenticity::Unverified)),
        (Some((outcome, found)), Some(key)) if is_mac(&found, &outcome, key) => {
            Ok((outcome.into(), Authenticity::Verified))
        }
        (_, Some(_)) => Err(WireError::new(
            "the outcome is not sealed with the run's key: another process wrote or altered it",
        )),
    }
}

fn is_mac(found: &[u8], outcome: &[u8], key: &RunKey) -> bool {
    // `blake3::Hash` compares in constant time.
    <[u8; 32]>::try_from(found).is_ok_and(|found| mac(outcome, key) == blake3::Hash::from(found))
}

fn mac(outcome: &[u8], key: &RunKey) -> blake3::Hash {
    blake3::keyed_hash(&key.0, outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> RunKey {
        RunKey::new([byte; 32])
    }

    #[test]
    fn seal_is_verified_only_by_its_key() {
        let sealed = seal(b"outcome".to_vec(), &key(1)).unwrap();
        let verified = unseal(sealed.clone(), Some(&key(1))).unwrap();
        assert_eq!(verified, (b"outcome".to_vec(), Authenticity::Verified));
        let unverified = unseal(sealed.clone(), None).unwrap();
        assert_eq!(unverified, (b"outcome".to_vec(), Authenticity::Unverified));
        assert!(unseal(sealed, Some(&key(2))).is_err());
    }

    #[test]
    fn unseal_detects_every_altered_byte() {
        let sealed = seal(b"outcome".to_vec(), &key(1)).unwrap();
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(unseal(altered, Some(&key(1))).is_err(), "byte {index}");
        }
    }

    #[test]
    fn plain_outcome_is_unverified() {
        let plain = unseal(b"outcome".to_vec(), None).unwrap();
        assert_eq!(plain, (b"outcome".to_vec(), Authenticity::Unverified));
        assert!(unseal(b"outcome".to_vec(), Some(&key(1))).is_err());
    }

    #[test]
    fn key_parses_back_and_is_never_printed() {
        assert_eq!(key(7).reveal().parse::<RunKey>().unwrap(), key(7));
        assert_eq!(format!("{:?}", key(7)), "RunKey");
        let error = "0707".parse::<RunKey>().unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits") && !error.contains("0707"), "{error}");
    }
}
