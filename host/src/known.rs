//! The runs that this process drives, for those who attach to one of them.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::lease::{Lease, WeakLease};
use crate::run::Status;

/// How many runs that are gone are remembered at most.
const REMEMBERED: usize = 10_000;

struct Known {
    status: watch::Receiver<Status>,
    lease: WeakLease,
    cancel: CancellationToken,
}

static RUNS: LazyLock<Mutex<HashMap<String, Known>>> = LazyLock::new(Mutex::default);

/// Runs whose objects this process has removed.
static GONE: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

fn runs() -> MutexGuard<'static, HashMap<String, Known>> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> MutexGuard<'static, HashSet<String>> {
    GONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Enters a run that is about to begin, and that stops once `cancel` is cancelled.
pub(crate) fn enter(
    run_id: &str,
    status: watch::Receiver<Status>,
    lease: &Lease,
    cancel: &CancellationToken,
) {
    let mut runs = runs();
    // What nobody holds any more is not known here either.
    runs.retain(|_, run| run.lease.upgrade().is_some());
    let (lease, cancel) = (lease.downgrade(), cancel.clone());
    runs.insert(run_id.to_owned(), Known { status, lease, cancel });
}

/// How far the run is, while it is driven here.
pub(crate) fn find(run_id: &str) -> Option<watch::Receiver<Status>> {
    let status = runs().get(run_id)?.status.clone();
    let is_driven = status.has_changed().is_ok() && *status.borrow() != Status::Ended;
    is_driven.then_some(status)
}

/// The lease of a run that was begun here, while somebody here holds it.
pub(crate) fn lease(run_id: &str) -> Option<Lease> {
    runs().get(run_id)?.lease.upgrade()
}

/// The lease of a run that was begun and detached here, as long as others may not yet know of it.
pub(crate) fn detached(run_id: &str) -> Option<Lease> {
    lease(run_id).filter(Lease::is_detached)
}

/// Stops the run if it is driven here, and waits until it has ended.
pub(crate) async fn cancel(run_id: &str) {
    let Some(mut status) = find(run_id) else { return };
    if let Some(known) = runs().get(run_id) {
        known.cancel.cancel();
    }
    // An error says that nobody drives it any more, which is the same.
    let _ = status.wait_for(|status| *status == Status::Ended).await;
}

/// Remembers that the objects of a run are being removed.
pub(crate) fn remember_gone(run_id: &str) {
    let mut gone = gone();
    if gone.len() >= REMEMBERED {
        gone.clear();
    }
    gone.insert(run_id.to_owned());
}

/// Whether this process has removed the run's objects.
pub(crate) fn is_gone(run_id: &str) -> bool {
    gone().contains(run_id)
}
