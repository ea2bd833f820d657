//! Runs whose manifest and arguments are in memory until they are needed in the stage.

use std::sync::Arc;

use bytes::Bytes;
use hype_stage::Stage;
use hype_wire::{RunManifest, names};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::put_part;
use crate::error::Result;
#[cfg(feature = "local")]
use crate::staging::known::KnownComponents;

/// The records of a submitter for runs that are not in the stage: known components, and the memory of large arguments.
#[derive(Debug, Default)]
pub(crate) struct UnstagedRuns {
    #[cfg(feature = "local")]
    pub(crate) components: KnownComponents,
    pub(super) arguments: ArgumentMemory,
}

/// The manifest of a run that isn't in the stage, and its arguments.
#[derive(Debug, Clone)]
pub(crate) struct UnstagedRun {
    manifest: Arc<RunManifest>,
    arguments: Option<Bytes>,
}

impl UnstagedRun {
    /// Returns a run with `arguments` that are too large for its manifest, if there are any.
    pub(crate) fn new(manifest: Arc<RunManifest>, arguments: Option<Bytes>) -> Self {
        Self { manifest, arguments }
    }

    /// Returns the arguments, if they aren't in the manifest.
    pub(crate) fn arguments(&self) -> Option<&Bytes> {
        self.arguments.as_ref()
    }

    /// Returns the names of the objects that [`put`](Self::put) writes.
    pub(crate) fn objects(&self) -> Vec<String> {
        let run_id = &self.manifest.run_id;
        let arguments = self.arguments.as_ref().map(|_| names::arguments(run_id));
        arguments.into_iter().chain([names::manifest(run_id)]).collect()
    }

    /// Writes the arguments and the manifest to the stage.
    pub(crate) async fn put(&self, stage: &Stage) -> Result<()> {
        let run_id = &self.manifest.run_id;
        let mut manifest = RunManifest::clone(&self.manifest);
        if let Some(arguments) = &self.arguments {
            manifest.call.arguments = put_part(stage, run_id, arguments.clone()).await?;
        }
        stage.put(&names::manifest(run_id), Bytes::from(manifest.to_bytes()?)).await?;
        Ok(())
    }
}

/// The memory for large arguments of runs that aren't in the stage. A program may spawn any number of runs, and the
/// arguments of each are in memory until it has ended.
#[derive(Debug)]
pub(crate) struct ArgumentMemory(Arc<Semaphore>);

impl Default for ArgumentMemory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(Self::SIZE / Self::UNIT)))
    }
}

impl ArgumentMemory {
    /// The size of all arguments together, in bytes.
    const SIZE: usize = 1 << 30;

    /// The number of bytes of one permit.
    const UNIT: usize = 1 << 10;

    /// Returns `arguments` as bytes that count as long as they are in memory. Returns none if there is no room for them.
    pub(super) fn hold(&self, arguments: &Bytes) -> Option<Bytes> {
        let units = u32::try_from(arguments.len().div_ceil(Self::UNIT)).ok()?;
        let permit = Arc::clone(&self.0).try_acquire_many_owned(units).ok()?;
        Some(Bytes::from_owner(Held { arguments: arguments.clone(), _permit: permit }))
    }
}

struct Held {
    arguments: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_count_until_the_last_copy_is_dropped() {
        let memory = ArgumentMemory::default();
        let arguments = Bytes::from(vec![7; ArgumentMemory::SIZE / 2]);
        let first = memory.hold(&arguments).unwrap();
        let copy = first.clone();
        let second = memory.hold(&arguments).unwrap();
        assert!(memory.hold(&arguments).is_none());
        drop((first, second));
        let third = memory.hold(&arguments).unwrap();
        assert!(memory.hold(&arguments).is_none());
        assert_eq!((copy[0], third.len()), (7, arguments.len()));
    }
}
