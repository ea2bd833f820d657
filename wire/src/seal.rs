//! How an outcome is vouched for where no termination line can be had any more.
//!
//! A termination line goes with the Pod or container that wrote it. A runner that was given the run's
//! key seals its outcome with it, so that whoever has the key can tell a true outcome from one that
//! somebody put into the stage. The key itself never goes through the stage.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::error::WireError;
use crate::object;

/// The secret of one run: 32 random bytes, written as 64 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct RunKey([u8; 32]);

impl RunKey {
    /// The key of these bytes, which must be random.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key as its holder is told it: hexadecimal digits.
    pub fn reveal(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

impl FromStr for RunKey {
    type Err = WireError;

    fn from_str(text: &str) -> Result<Self, WireError> {
        blake3::Hash::from_hex(text.trim()).map(|hash| Self(*hash.as_bytes())).map_err(|_| {
            WireError::new("what should be a run's key is not one: it has 64 hexadecimal digits")
        })
    }
}

impl fmt::Debug for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunKey")
    }
}

/// An outcome's bytes under the seal of a run's key. Its one field tells it from a plain outcome.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    sealed: (Bytes, Bytes),
}

/// What is known of an outcome's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is sealed with the run's key.
    Verified,
    /// Nobody vouches for it.
    Unverified,
}

/// `outcome`, the bytes of one, under the seal of `key`.
pub fn seal(outcome: Vec<u8>, key: &RunKey) -> Result<Vec<u8>, WireError> {
    let mac = mac(&outcome, key).as_bytes().to_vec();
    object::to_vec(&Sealed { sealed: (outcome.into(), mac.into()) })
}

/// The bytes of the outcome in `bytes`, sealed or plain, and what `key` says of its origin.
///
/// # Errors
///
/// When there is a key, and the outcome is not sealed with it.
pub fn unseal(bytes: Vec<u8>, key: Option<&RunKey>) -> Result<(Vec<u8>, Origin), WireError> {
    let sealed = object::from_slice::<Sealed>(&bytes).ok().map(|sealed| sealed.sealed);
    match (sealed, key) {
        (None, None) => Ok((bytes, Origin::Unverified)),
        (Some((outcome, _)), None) => Ok((outcome.into(), Origin::Unverified)),
        (Some((outcome, found)), Some(key)) if is_mac(&found, &outcome, key) => {
            Ok((outcome.into(), Origin::Verified))
        }
        (_, Some(_)) => Err(WireError::new(
            "the outcome is not sealed with the run's key: somebody else wrote or altered it",
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
    fn a_seal_is_verified_by_its_key_alone() {
        let sealed = seal(b"outcome".to_vec(), &key(1)).unwrap();
        let verified = unseal(sealed.clone(), Some(&key(1))).unwrap();
        assert_eq!(verified, (b"outcome".to_vec(), Origin::Verified));
        let unverified = unseal(sealed.clone(), None).unwrap();
        assert_eq!(unverified, (b"outcome".to_vec(), Origin::Unverified));
        assert!(unseal(sealed, Some(&key(2))).is_err());
    }

    #[test]
    fn every_altered_byte_is_found() {
        let sealed = seal(b"outcome".to_vec(), &key(1)).unwrap();
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(unseal(altered, Some(&key(1))).is_err(), "byte {index}");
        }
    }

    #[test]
    fn a_plain_outcome_is_no_sealed_one() {
        let plain = unseal(b"outcome".to_vec(), None).unwrap();
        assert_eq!(plain, (b"outcome".to_vec(), Origin::Unverified));
        assert!(unseal(b"outcome".to_vec(), Some(&key(1))).is_err());
    }

    #[test]
    fn a_key_is_read_as_it_is_told_and_never_shown() {
        assert_eq!(key(7).reveal().parse::<RunKey>().unwrap(), key(7));
        assert_eq!(format!("{:?}", key(7)), "RunKey");
        let error = "0707".parse::<RunKey>().unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits") && !error.contains("0707"), "{error}");
    }
}
