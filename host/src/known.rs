//! The runs that this process drives, for those who attach to one of them.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::lease::{Lease, WeakLease};
use crate::run::Status;

struct Known {
    status: watch::Receiver<Status>,
    lease: WeakLease,
}

static RUNS: LazyLock<Mutex<HashMap<String, Known>>> = LazyLock::new(Mutex::default);

fn runs() -> MutexGuard<'static, HashMap<String, Known>> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Enters a run that is about to begin.
pub(crate) fn enter(run_id: &str, status: watch::Receiver<Status>, lease: &Lease) {
    let mut runs = runs();
    // What nobody holds any more is not known here either.
    runs.retain(|_, run| run.lease.upgrade().is_some());
    runs.insert(run_id.to_owned(), Known { status, lease: lease.downgrade() });
}

/// How far the run is, while it is driven here.
pub(crate) fn find(run_id: &str) -> Option<watch::Receiver<Status>> {
    let status = runs().get(run_id)?.status.clone();
    let is_driven = status.has_changed().is_ok() && *status.borrow() != Status::Ended;
    is_driven.then_some(status)
}

/// The lease of a run that was begun and detached here, as long as others may not yet know of it.
pub(crate) fn detached(run_id: &str) -> Option<Lease> {
    runs().get(run_id)?.lease.upgrade().filter(Lease::is_detached)
}
