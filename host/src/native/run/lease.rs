//! Leases: by them others know that somebody takes care of a run.
//!
//! The owner of a run renews its lease while it drives the run. The first is written only once the
//! run has lasted a few seconds, so that most runs cost no request; until then the run's age alone
//! says that it isn't abandoned.

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_stage::{Stage, StageErrorKind};
use hype_wire::{Lease as Record, names};
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::names::unique_name;

/// How long an owner that doesn't renew its lease may still be there.
pub(crate) const TERM: Duration = Duration::from_secs(60);

/// How long a run lasts, at the least, that has a lease at all.
pub(crate) const FIRST_AFTER: Duration = Duration::from_secs(5);

/// How this process calls itself.
static OWNER: LazyLock<String> = LazyLock::new(|| unique_name("hype-owner"));

/// How this process calls itself, as the owner of runs.
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
    when_released: OnceLock<Release>,
}

/// Does something when it is dropped.
struct Release(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            release();
        }
    }
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Release")
    }
}

#[derive(Debug)]
struct State {
    record: Record,
    /// Whether it must not be written any more, since the run's objects go.
    is_closed: bool,
    /// Whether the run was staged. If its manifest is missing then, somebody has collected the run.
    is_staged: bool,
}

impl Lease {
    pub(crate) fn new(stage: &Stage, run_id: &str, function: &str, term: Duration) -> Self {
        let record = Record::new(run_id, function, OWNER.as_str(), term);
        let state = Mutex::new(State { record, is_closed: false, is_staged: false });
        let is_detached = AtomicBool::new(false);
        Self(Arc::new(Inner {
            stage: stage.clone(),
            is_detached,
            state,
            term,
            when_released: OnceLock::new(),
        }))
    }

    /// Calls `release` once nothing holds the lease any more. Only the first call counts.
    pub(crate) fn when_released(&self, release: impl FnOnce() + Send + Sync + 'static) {
        self.0.when_released.get_or_init(|| Release(Some(Box::new(release))));
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

    /// Renews it now, unless it is a detached run's whose objects somebody has removed. What fails is told, since the
    /// next renewal may succeed.
    pub(crate) async fn renew(&self) {
        if let Err(error) = self.write(|_| true).await {
            tracing::warn!("a lease could not be renewed: {}", error.report());
        }
    }

    /// Renews it for whoever attached to a run whose lease was `found`: a run that was detached stays detached.
    pub(crate) async fn take_over(&self, found: Option<&Record>) {
        if let Some(found) = found {
            let mut state = self.0.state.lock().await;
            state.record.detached = found.detached;
            state.is_staged = true;
            state.record.function.clone_from(&found.function);
        }
        self.renew().await;
    }

    /// Leaves the run to whoever collects it, and tells others so.
    ///
    /// # Errors
    ///
    /// When others could not be told. Then nothing has changed.
    pub(crate) async fn detach(&self) -> Result<()> {
        self.0.is_detached.store(true, Ordering::Relaxed);
        let written = self.write(|record| !std::mem::replace(&mut record.detached, true)).await;
        if written.is_err() {
            self.0.is_detached.store(false, Ordering::Relaxed);
            self.0.state.lock().await.record.detached = false;
        }
        written
    }

    /// Notes that the run's manifest is in the stage.
    pub(crate) async fn mark_staged(&self) {
        self.0.state.lock().await.is_staged = true;
    }

    /// Marks the run as detached for this process, before [`Self::detach`] tells the stage.
    pub(crate) fn mark_detached(&self) {
        self.0.is_detached.store(true, Ordering::Relaxed);
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
    async fn write(&self, change: impl FnOnce(&mut Record) -> bool + Send + 'static) -> Result<()> {
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
            let (name, manifest) =
                (names::lease(&state.record.run_id), names::manifest(&state.record.run_id));
            stage.put(&name, Bytes::from(state.record.to_bytes()?)).await?;
            // Whoever collected a detached run removed its lease, too, and must find none later.
            if state.is_staged && state.record.detached && !stage.has(&manifest).await? {
                state.is_closed = true;
                stage.remove(&[name]).await?;
            }
            Ok(())
        });
        written
            .await
            .unwrap_or_else(|error| Err(Error::runner("writing a lease broke down", error)))
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
        stage.put(&names::manifest("r-1"), Bytes::new()).await.unwrap();
        let lease = Lease::new(&stage, "r-1", "train", TERM);
        assert_eq!(find(&stage, "r-1").await.unwrap(), None);
        lease.renew().await;
        lease.detach().await.unwrap();
        let found = find(&stage, "r-1").await.unwrap().unwrap();
        assert_eq!((found.renewals, found.detached), (2, true));
        lease.close().await;
        stage.remove_run("r-1").await.unwrap();
        lease.renew().await;
        assert_eq!(find(&stage, "r-1").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_detached_run_that_was_collected_gets_no_lease_again() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        stage.put(&names::manifest("r-1"), Bytes::new()).await.unwrap();
        let lease = Lease::new(&stage, "r-1", "train", TERM);
        lease.mark_staged().await;
        lease.detach().await.unwrap();
        stage.remove_run("r-1").await.unwrap();
        lease.renew().await;
        assert_eq!(find(&stage, "r-1").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_run_detached_before_it_is_staged_keeps_its_lease() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let lease = Lease::new(&stage, "r-1", "train", TERM);
        lease.detach().await.unwrap();
        lease.renew().await;
        let found = find(&stage, "r-1").await.unwrap().unwrap();
        assert_eq!((found.renewals, found.detached), (2, true));
    }

    #[tokio::test]
    async fn who_takes_a_detached_run_over_keeps_it_detached() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        stage.put(&names::manifest("r-1"), Bytes::new()).await.unwrap();
        Lease::new(&stage, "r-1", "train", TERM).detach().await.unwrap();
        let found = find(&stage, "r-1").await.unwrap();
        let lease = Lease::new(&stage, "r-1", "unknown", TERM);
        lease.take_over(found.as_ref()).await;
        lease.renew().await;
        let found = find(&stage, "r-1").await.unwrap().unwrap();
        assert_eq!((found.renewals, found.detached, found.function.as_str()), (2, true, "train"));
    }
}
