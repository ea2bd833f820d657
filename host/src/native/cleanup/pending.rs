//! Work that the end of a submitter or of the program waits for: runs that are being detached, and what is left of
//! runs whose former owner may still be there.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The submitter that some work belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubmitterId(u64);

/// What is under way, in the order in which it began.
static UNDER_WAY: LazyLock<watch::Sender<BTreeMap<u64, (SubmitterId, String)>>> =
    LazyLock::new(watch::Sender::default);

/// Cancelled once the program is told to end.
static TOLD_TO_END: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);

/// Numbers that are given once.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl SubmitterId {
    pub(crate) fn new() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Some work that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct Pending(u64);

impl Pending {
    /// Begins work of `submitter`; `what` completes the sentence "waiting ..".
    pub(crate) fn begin(submitter: SubmitterId, what: String) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        UNDER_WAY.send_modify(|all| drop(all.insert(number, (submitter, what))));
        Self(number)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        UNDER_WAY.send_modify(|all| drop(all.remove(&self.0)));
    }
}

/// Says that the program is told to end, so that nothing of it is waited for any more.
pub(crate) fn give_up() {
    TOLD_TO_END.cancel();
}

/// Waits until the program is told to end.
pub(crate) async fn given_up() {
    TOLD_TO_END.cancelled().await;
}

/// Waits until nothing of `submitter`, or of any if none is named, is under way, and says what it waits for. Returns
/// at once when the program is told to end.
pub(crate) async fn wait_for_all(submitter: Option<SubmitterId>) {
    let mut under_way = UNDER_WAY.subscribe();
    let is_of = |it: &SubmitterId| submitter.is_none_or(|submitter| submitter == *it);
    let waits: Vec<String> = {
        let all = under_way.borrow_and_update();
        all.values().filter(|(its, _)| is_of(its)).map(|(_, what)| what.clone()).collect()
    };
    if TOLD_TO_END.is_cancelled() {
        return;
    }
    for what in waits {
        tracing::info!("waiting {what}");
    }
    tokio::select! {
        // An error can't be: the sender is never dropped.
        _ = under_way.wait_for(|all| !all.values().any(|(its, _)| is_of(its))) => {}
        () = given_up() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_of_other_submitters_is_not_waited_for() {
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
