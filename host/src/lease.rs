//! Leases: by them others know that somebody takes care of a run.
//!
//! The owner of a run renews its lease while it drives the run. The first is written only once the
//! run has lasted a few seconds, so that most runs cost no request; until then the run's age alone
//! says that it isn't abandoned.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_stage::{Stage, StageErrorKind};
use hype_wire::{Lease as Record, names};
use tokio::sync::Mutex;

use crate::error::Result;
use crate::submitter::unique_name;

/// How long an owner that doesn't renew its lease may still be there.
pub(crate) const TERM: Duration = Duration::from_secs(60);

/// How long a run lasts, at the least, that has a lease at all.
const FIRST_AFTER: Duration = Duration::from_secs(5);

/// How this process calls itself.
static OWNER: LazyLock<String> = LazyLock::new(|| unique_name("hype-owner"));

/// How this process calls itself, as the owner of runs.
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(crate) fn owner() -> &'static str {
    OWNER.as_str()
}

/// The lease of one run, as its owner has it. Clones are one lease.
#[derive(Debug, Clone)]
pub(crate) struct Lease(Arc<Inner>);

/// The same without keeping it.
#[derive(Debug)]
pub(crate) struct WeakLease(Weak<Inner>);

#[derive(Debug)]
struct Inner {
    stage: Stage,
    is_detached: AtomicBool,
    state: Mutex<State>,
    term: Duration,
}

#[derive(Debug)]
struct State {
    record: Record,
    /// Whether it must not be written any more, since the run's objects go.
    is_closed: bool,
}

impl Lease {
    pub(crate) fn new(stage: &Stage, run_id: &str, function: &str, term: Duration) -> Self {
        let record = Record::new(run_id, function, OWNER.as_str(), term);
        let state = Mutex::new(State { record, is_closed: false });
        let is_detached = AtomicBool::new(false);
        Self(Arc::new(Inner { stage: stage.clone(), is_detached, state, term }))
    }

    /// Renews it for ever, in time.
    pub(crate) async fn keep(&self) -> Infallible {
        tokio::time::sleep(FIRST_AFTER.min(self.pause())).await;
        loop {
            self.renew().await;
            tokio::time::sleep(self.pause()).await;
        }
    }

    /// How long to wait before it is renewed.
    pub(crate) fn pause(&self) -> Duration {
        self.0.term / 3
    }

    /// Renews it now.
    pub(crate) async fn renew(&self) {
        self.write(|_| true).await;
    }

    /// Leaves the run to whoever collects it, from now on; the future tells others.
    pub(crate) fn detach(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.is_detached.store(true, Ordering::Relaxed);
        let lease = self.clone();
        async move { lease.write(|record| !std::mem::replace(&mut record.detached, true)).await }
    }

    pub(crate) fn is_detached(&self) -> bool {
        self.0.is_detached.load(Ordering::Relaxed)
    }

    pub(crate) fn downgrade(&self) -> WeakLease {
        WeakLease(Arc::downgrade(&self.0))
    }

    /// Makes sure that it is not written any more, and says whether it ever was.
    pub(crate) async fn close(&self) -> bool {
        let mut state = self.0.state.lock().await;
        state.is_closed = true;
        state.record.renewals > 0
    }

    /// Writes it as `change` leaves it, if that says so.
    async fn write(&self, change: impl FnOnce(&mut Record) -> bool + Send + 'static) {
        let lease = self.clone();
        // In a task of its own, since a write that was begun may come to its end though its future
        // is dropped; `close` waits for it.
        let written = tokio::spawn(async move {
            let Inner { stage, state, .. } = &*lease.0;
            let mut state = state.lock().await;
            if state.is_closed || !change(&mut state.record) {
                return Ok(());
            }
            state.record.renewals += 1;
            let bytes = Bytes::from(state.record.to_bytes()?);
            Ok::<_, crate::Error>(stage.put(&names::lease(&state.record.run_id), bytes).await?)
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!("a lease could not be renewed: {}", error.report());
        }
    }
}

impl WeakLease {
    pub(crate) fn upgrade(&self) -> Option<Lease> {
        self.0.upgrade().map(Lease)
    }
}

/// The lease that stands in `stage`, if any does.
pub(crate) async fn find(stage: &Stage, run_id: &str) -> Result<Option<Record>> {
    match stage.get(&names::lease(run_id), Record::MAX_SIZE).await {
        Ok(bytes) => Ok(Some(Record::from_bytes(&bytes)?)),
        Err(error) if error.kind() == StageErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Another's lease, watched from outside.
#[derive(Debug)]
pub(crate) struct Watch {
    last: Option<(String, u64)>,
    since: Instant,
    term: Duration,
}

impl Watch {
    /// Watches from `now` on; where there is no lease, it may take `term` until there is.
    pub(crate) fn new(now: Instant, term: Duration) -> Self {
        Self { last: None, since: now, term }
    }

    /// Takes what stands there `now`, and says whether its owner is gone.
    pub(crate) fn is_lapsed(&mut self, found: Option<&Record>, now: Instant) -> bool {
        if let Some(lease) = found {
            let seen = Some((lease.owner.clone(), lease.renewals));
            if seen != self.last {
                (self.last, self.since, self.term) = (seen, now, lease.term());
            }
        }
        now.duration_since(self.since) >= self.term
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_that_renews_nothing_for_a_term_is_gone() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut lease = Record::new("r-1", "train", "somebody", Duration::from_secs(10));
        let mut watch = Watch::new(start, Duration::from_secs(60));
        assert!(!watch.is_lapsed(None, at(59)));
        assert!(!watch.is_lapsed(Some(&lease), at(61)));
        assert!(!watch.is_lapsed(Some(&lease), at(70)));
        lease.renewals += 1;
        assert!(!watch.is_lapsed(Some(&lease), at(71)));
        assert!(!watch.is_lapsed(Some(&lease), at(80)));
        assert!(watch.is_lapsed(Some(&lease), at(81)));
        lease.owner = "another".into();
        assert!(!watch.is_lapsed(Some(&lease), at(90)));
        assert!(Watch::new(start, Duration::from_secs(60)).is_lapsed(None, at(60)));
    }

    #[tokio::test]
    async fn a_closed_lease_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let lease = Lease::new(&stage, "r-1", "train", TERM);
        assert_eq!(find(&stage, "r-1").await.unwrap(), None);
        lease.renew().await;
        lease.detach().await;
        let found = find(&stage, "r-1").await.unwrap().unwrap();
        assert_eq!((found.renewals, found.detached), (2, true));
        lease.close().await;
        stage.remove_run("r-1").await.unwrap();
        lease.renew().await;
        assert_eq!(find(&stage, "r-1").await.unwrap(), None);
    }
}
