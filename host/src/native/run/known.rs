//! The runs that this process drives, for those who attach to one of them.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::run::lease::Lease;
use crate::run::registry::{self, KnownRun, Registry};
use crate::run::status::Status;

/// Enters a run that is about to begin into `registry`, in which it stays as long as anything holds its
/// lease. The run stops once `cancel` is cancelled.
pub(crate) fn enter(
    registry: &Arc<Registry>,
    run_id: &str,
    status: watch::Receiver<Status>,
    lease: &Lease,
    cancel: &CancellationToken,
) {
    let run = KnownRun { status, lease: lease.downgrade(), cancel: cancel.clone() };
    registry.runs().insert(run_id.to_owned(), run);
    let (registry, run_id) = (Arc::downgrade(registry), run_id.to_owned());
    lease.when_released(move || {
        if let Some(registry) = registry.upgrade() {
            registry.runs().remove(&run_id);
        }
    });
}

/// Returns what `look` finds of a run that this process drives.
fn with<T>(run_id: &str, look: impl Fn(&KnownRun) -> Option<T>) -> Option<T> {
    registry::all().iter().find_map(|registry| registry.runs().get(run_id).and_then(&look))
}

/// How far the run is, while it is driven here.
pub(crate) fn find(run_id: &str) -> Option<watch::Receiver<Status>> {
    let status = with(run_id, |run| Some(run.status.clone()))?;
    let is_driven = status.has_changed().is_ok() && *status.borrow() != Status::Ended;
    is_driven.then_some(status)
}

/// The lease of a run that was begun here, while somebody here holds it.
pub(crate) fn lease(run_id: &str) -> Option<Lease> {
    with(run_id, |run| run.lease.upgrade())
}

/// The lease of a run that was begun and detached here, as long as others may not yet know of it.
pub(crate) fn detached(run_id: &str) -> Option<Lease> {
    lease(run_id).filter(Lease::is_detached)
}

/// Stops the run if it is driven here, and waits until it has ended.
pub(crate) async fn cancel(run_id: &str) {
    let Some(mut status) = find(run_id) else { return };
    if let Some(cancel) = with(run_id, |run| Some(run.cancel.clone())) {
        cancel.cancel();
    }
    // An error says that nobody drives it any more, which is the same.
    let _ = status.wait_for(|status| *status == Status::Ended).await;
}

/// Whether this process has removed the run's objects.
pub(crate) fn is_gone(run_id: &str) -> bool {
    registry::all().iter().any(|registry| registry.has_removed(run_id))
}

#[cfg(test)]
mod tests {
    use hype_stage::Stage;

    use super::*;
    use crate::run::lease::TERM;

    #[test]
    fn run_is_known_as_long_as_its_lease_is_held() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let registry = Registry::register();
        let held = ["hype-run-known-1", "hype-run-known-2"].map(|id| {
            let (status, cancel) = (watch::Sender::new(Status::Staging), CancellationToken::new());
            let held = Lease::new(&stage, id, "train", TERM);
            enter(&registry, id, status.subscribe(), &held, &cancel);
            (held, status)
        });
        // An attacher has a lease of its own for the same run.
        drop(Lease::new(&stage, "hype-run-known-1", "unknown", TERM));
        assert!(find("hype-run-known-1").is_some() && lease("hype-run-known-2").is_some());
        drop(held);
        assert!(find("hype-run-known-1").is_none() && lease("hype-run-known-2").is_none());
        assert!(registry.runs().is_empty());
    }
}
