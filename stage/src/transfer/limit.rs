//! The limit on concurrent transfers.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PART;

/// The minimum that a request counts, in bytes. It limits a stage to 32 concurrent requests.
const UNIT: usize = PART / 4;

/// The maximum of concurrently transferred bytes, in units: 64 MiB.
const MAX_UNITS: u32 = 32;

/// A limit on the concurrent transfers of a stage, shared by its clones.
#[derive(Debug, Clone)]
pub(crate) struct TransferLimit(Arc<Semaphore>);

/// A permit for one request; released on drop.
#[derive(Debug)]
pub(crate) struct TransferPermit {
    _permit: Option<OwnedSemaphorePermit>,
}

impl TransferLimit {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_UNITS as usize)))
    }

    /// Waits for a permit for a request that transfers `size` bytes.
    pub(crate) async fn acquire(&self, size: usize) -> TransferPermit {
        let units = u32::try_from(size.div_ceil(UNIT)).unwrap_or(MAX_UNITS).clamp(1, MAX_UNITS);
        // The semaphore is never closed.
        TransferPermit { _permit: Arc::clone(&self.0).acquire_many_owned(units).await.ok() }
    }
}
