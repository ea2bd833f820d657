//! Pending work, for which the end of a submitter or of the program waits: detaching runs, and removing leftovers of
//! attached runs whose owner may still exist.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use hype_stage::PerProcess;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The number of a submitter in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubmitterId(u64);

/// All pending work with its description, in the order in which it began.
static PENDING: PerProcess<watch::Sender<BTreeMap<u64, (SubmitterId, String)>>> =
    PerProcess::new(watch::Sender::default);

/// Cancelled when the program receives a signal to end.
static CANCELLED: PerProcess<CancellationToken> = PerProcess::new(CancellationToken::new);

/// The next unused number of a submitter or a piece of work.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl SubmitterId {
    pub(crate) fn new() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A guard of pending work, which ends when the guard is dropped.
#[derive(Debug)]
pub(crate) struct Pending(u64);

impl Pending {
    /// Begins work of `submitter`. `what` completes the message "waiting ..".
    pub(crate) fn begin(submitter: SubmitterId, what: String) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        PENDING.get().send_modify(|all| drop(all.insert(number, (submitter, what))));
        Self(number)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        PENDING.get().send_modify(|all| drop(all.remove(&self.0)));
    }
}

/// Cancels all pending work and all waiting for it, because the program received a signal to end.
pub(crate) fn cancel() {
    CANCELLED.get().cancel();
}

/// Waits until pending work is cancelled.
pub(crate) async fn cancelled() {
    CANCELLED.get().cancelled().await;
}

/// Waits until `submitter` has no pending work, or no submitter if it is `None`, and logs what it waits for. Returns
/// immediately when pending work is cancelled.
pub(crate) async fn wait_for_all(submitter: Option<SubmitterId>) {
    let mut pending = PENDING.get().subscribe();
    let is_included = |owner: &SubmitterId| submitter.is_none_or(|submitter| submitter == *owner);
    let descriptions: Vec<String> = {
        let all = pending.borrow_and_update();
        let included = all.values().filter(|(owner, _)| is_included(owner));
        included.map(|(_, what)| what.clone()).collect()
    };
    if CANCELLED.get().is_cancelled() {
        return;
    }
    for what in descriptions {
        tracing::info!("waiting {what}");
    }
    tokio::select! {
        // It returns no error, since the sender is never dropped.
        _ = pending.wait_for(|all| !all.values().any(|(owner, _)| is_included(owner))) => {}
        () = cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wait_for_all_ignores_other_submitters() {
        let (one, other) = (SubmitterId::new(), SubmitterId::new());
        let work = Pending::begin(one, "for one".into());
        wait_for_all(Some(other)).await;
        let waiting = tokio::spawn(wait_for_all(Some(one)));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(work);
        waiting.await.unwrap();
    }
}
