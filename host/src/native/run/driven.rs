//! Runs that this process drives, for handles of this process that attach to them.

use std::sync::Arc;

use tokio::sync::watch;

use crate::run::lease::Lease;
use crate::run::log::Log;
use crate::run::registry::{self, DrivenRun, Registry};
use crate::run::status::Status;

/// Registers a run that is about to start in `registry`, until all handles of its `lease` are dropped.
pub(crate) fn register(registry: &Arc<Registry>, run_id: &str, lease: &Lease, run: DrivenRun) {
    registry.runs().insert(run_id.to_owned(), run);
    let (registry, run_id) = (Arc::downgrade(registry), run_id.to_owned());
    lease.on_release(move || {
        if let Some(registry) = registry.upgrade() {
            registry.runs().remove(&run_id);
        }
    });
}

/// Calls `read` with a run that this process drives, and returns its result.
fn with<T>(run_id: &str, read: impl Fn(&DrivenRun) -> Option<T>) -> Option<T> {
    registry::all().iter().find_map(|registry| registry.runs().get(run_id).and_then(&read))
}

/// Returns the status of the run while this process drives it.
pub(crate) fn find(run_id: &str) -> Option<watch::Receiver<Status>> {
    let status = with(run_id, |run| Some(run.status.clone()))?;
    let is_driven = status.has_changed().is_ok() && *status.borrow() != Status::Ended;
    is_driven.then_some(status)
}

/// Returns the lease of a run that this process started, while any handle of it exists.
pub(crate) fn lease(run_id: &str) -> Option<Lease> {
    with(run_id, |run| run.lease.upgrade())
}

/// Returns the lease of a run that this process started and detached. The stage may not know of it yet.
pub(crate) fn detached_lease(run_id: &str) -> Option<Lease> {
    lease(run_id).filter(Lease::is_detached)
}

/// Stops the run if this process drives it, and waits until it has ended.
pub(crate) async fn cancel(run_id: &str) {
    let Some(mut status) = find(run_id) else { return };
    if let Some(cancel) = with(run_id, |run| Some(run.cancel.clone())) {
        cancel.cancel();
    }
    // An error means that its driver is gone, so that it has ended, too.
    let _ = status.wait_for(|status| *status == Status::Ended).await;
}

/// Returns the log of a run that this process started, while any handle of it exists.
pub(crate) fn log(run_id: &str) -> Option<Log> {
    with(run_id, |run| Some(run.log.clone()))
}

/// Returns whether this process has removed the run's objects.
pub(crate) fn is_removed(run_id: &str) -> bool {
    registry::all().iter().any(|registry| registry.has_removed(run_id))
}

#[cfg(test)]
mod tests {
    use hype_stage::Stage;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::run::lease::TERM;

    #[test]
    fn run_is_registered_while_its_lease_is_held() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let registry = Registry::register();
        let held = ["hype-run-driven-1", "hype-run-driven-2"].map(|id| {
            let (status, cancel) = (watch::Sender::new(Status::Staging), CancellationToken::new());
            let held = Lease::new(&stage, &id.parse().unwrap(), "train", TERM);
            let run = DrivenRun {
                function: "train".to_owned(),
                log: Log::new(id),
                status: status.subscribe(),
                lease: held.downgrade(),
                cancel,
            };
            register(&registry, id, &held, run);
            (held, status)
        });
        // An attached handle has a separate lease for the same run.
        drop(Lease::new(&stage, &"hype-run-driven-1".parse().unwrap(), "unknown", TERM));
        assert!(find("hype-run-driven-1").is_some() && lease("hype-run-driven-2").is_some());
        drop(held);
        assert!(find("hype-run-driven-1").is_none() && lease("hype-run-driven-2").is_none());
        assert!(registry.runs().is_empty());
    }
}
