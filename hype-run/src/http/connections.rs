//! The concurrent connections of a guest.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::budget::{Budget, Charge};
use crate::limits::CONNECTIONS;

/// The memory of one connection on the host, in bytes: the buffers of HTTP and TLS, and the head of a response.
const CONNECTION: u64 = 256 << 10;

/// Limits the concurrent connections of a guest.
pub(crate) struct Connections {
    permits: Arc<Semaphore>,
    budget: Budget,
}

/// A permit for one connection. Dropping it releases the connection and its memory.
pub(crate) struct ConnectionPermit {
    _permit: OwnedSemaphorePermit,
    _charge: Charge,
}

impl Connections {
    /// Creates the connections of a guest, which are charged to its `budget`.
    pub(crate) fn of_guest(budget: Budget) -> Self {
        Self { permits: Arc::new(Semaphore::new(CONNECTIONS)), budget }
    }

    /// Creates the connections of a worker, which has charged them to its guest. It may have [`CONNECTIONS`] open requests;
    /// those that it has closed end a moment later.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_worker() -> Self {
        Self { permits: Arc::new(Semaphore::new(2 * CONNECTIONS)), budget: Budget::new(u64::MAX) }
    }

    /// Returns a permit, or `None` if the guest has too many connections or too little memory.
    pub(super) fn acquire(&self) -> Option<ConnectionPermit> {
        let _permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let _charge = self.budget.charge(CONNECTION).ok()?;
        Some(ConnectionPermit { _permit, _charge })
    }
}
