//! How much is under way at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PART;

/// What a request counts at least, so that there are at most 32 of them.
const UNIT: usize = PART / 4;

/// How many bytes are under way at once, in units: 64 MiB.
const UNITS: u32 = 32;

/// The room that the transfers of a stage share.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

/// Room for one request. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(UNITS as usize)))
    }

    /// Waits until there is room for a request that carries `size` bytes.
    pub(crate) async fn wait(&self, size: usize) -> Turn {
        let units = u32::try_from(size.div_ceil(UNIT)).unwrap_or(UNITS).clamp(1, UNITS);
        // The semaphore is never closed.
        Turn { _permit: Arc::clone(&self.0).acquire_many_owned(units).await.ok() }
    }
}
