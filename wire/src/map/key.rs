use crate::error::WireError;
use crate::seal::{RunKey, seal, unseal};

/// The key of a staged map, derived from the key of the run that staged it.
///
/// A holder of the key detects segments and chunks that another process wrote or altered. The key never passes through
/// the stage.
///
/// ```
/// use hype_wire::{MapKey, RunKey};
///
/// let key = MapKey::of_run(&RunKey::new([7; 32])); // real keys are random
/// let sealed = key.seal(b"segment".to_vec())?;
/// assert_eq!(key.unseal(sealed.clone())?, b"segment");
/// assert!(MapKey::of_run(&RunKey::new([8; 32])).unseal(sealed).is_err());
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MapKey(RunKey);

impl MapKey {
    /// Derives the map's key. An object that is sealed with it is no sealed outcome of the run.
    pub fn of_run(key: &RunKey) -> Self {
        Self(key.derive("hype 2026-11 staged map"))
    }

    /// Seals the bytes of a segment or of a chunk.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes exceed 4 GiB.
    pub fn seal(&self, bytes: Vec<u8>) -> Result<Vec<u8>, WireError> {
        seal(bytes, &self.0)
    }

    /// Returns the bytes that were sealed.
    ///
    /// # Errors
    ///
    /// Returns an error if the object is not sealed with this key.
    pub fn unseal(&self, bytes: Vec<u8>) -> Result<Vec<u8>, WireError> {
        let unsealed = unseal(bytes, Some(&self.0)).map(|(bytes, _)| bytes);
        unsealed.map_err(|_| {
            WireError::new(
                "the object is not sealed with the map's key: another process wrote or altered it",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_segment_is_no_sealed_outcome() {
        let run_key = RunKey::new([1; 32]);
        let key = MapKey::of_run(&run_key);
        let sealed = key.seal(b"segment".to_vec()).unwrap();
        assert!(unseal(sealed, Some(&run_key)).is_err());
        let sealed = seal(b"outcome".to_vec(), &run_key).unwrap();
        assert!(key.unseal(sealed).is_err());
    }

    #[test]
    fn plain_object_is_rejected() {
        let error = MapKey::of_run(&RunKey::new([1; 32])).unseal(b"plain".to_vec()).unwrap_err();
        assert!(error.to_string().contains("not sealed with the map's key"), "{error}");
    }
}
