//! Leases of runs, by which other programs know that a run has an owner.
//!
//! The owner of a run renews its lease while it drives the run. It writes the lease only after the run has lasted a few
//! seconds, so that most runs need no request for it. Until then, the run's age shows that it isn't orphaned.

mod unstaged;

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_stage::{PerProcess, Stage, StageErrorKind};
use hype_wire::{Lease as Record, LiveRun, RunId, names};
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::names::unique_name;
use crate::staging::unstaged::UnstagedRun;

/// The time after which a lease that its owner doesn't renew expires.
pub(crate) const TERM: Duration = Duration::from_secs(60);

/// The age of a run at which its lease is first written.
const FIRST_LEASE_DELAY: Duration = Duration::from_secs(5);

/// The time that a new run may take to write its first lease, beyond [`FIRST_LEASE_DELAY`].
const FIRST_LEASE_TOLERANCE: Duration = Duration::from_secs(2);

/// Returns the age at which a run of an existing owner has a lease. `term` is the term of leases.
pub(crate) fn first_lease_timeout(term: Duration) -> Duration {
    let interval = term / 3;
    FIRST_LEASE_DELAY.min(interval) + FIRST_LEASE_TOLERANCE.min(interval)
}

/// The unique name of this process.
static OWNER: PerProcess<String> = PerProcess::new(|| unique_name("hype-owner"));

/// Returns the unique name of this process as the owner of runs.
pub(crate) fn owner() -> &'static str {
    OWNER.get()
}

/// The lease of one run, as its owner writes it. Clones share one lease.
#[derive(Debug, Clone)]
pub(crate) struct Lease(Arc<Inner>);

/// A weak reference to a lease.
#[derive(Debug)]
pub(crate) struct WeakLease(Weak<Inner>);

#[derive(Debug)]
struct Inner {
    stage: Stage,
    is_detached: AtomicBool,
    state: Mutex<State>,
    term: Duration,
    /// The start of the run, if this handle started it.
    started: Instant,
    /// The component's name, once it is known.
    component: OnceLock<String>,
    on_release: OnceLock<Release>,
}

/// A callback that is called on drop.
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
    /// Whether the lease must not be written any more, since the run's objects are being removed.
    is_closed: bool,
    /// Whether the run's manifest was staged. If the manifest is missing later, the run was removed.
    is_staged: bool,
    /// The run's entry in the index of live runs; `None` for a handle that didn't start the run.
    entry: Option<LiveRun>,
    /// Whether the current `entry` is in the stage.
    is_entry_written: bool,
    /// A run that isn't in the stage yet. It is written before the lease.
    unstaged: Option<UnstagedRun>,
    /// The names of the objects of such a run, once they are written.
    written: Vec<String>,
    /// Whether another handle waits for the run through the stage.
    is_attached: bool,
}

impl Lease {
    pub(crate) fn new(stage: &Stage, run_id: &RunId, function: &str, term: Duration) -> Self {
        let record = Record::new(run_id.clone(), function, owner(), term);
        let state = Mutex::new(State {
            record,
            is_closed: false,
            is_staged: false,
            entry: None,
            is_entry_written: false,
            unstaged: None,
            written: Vec::new(),
            is_attached: false,
        });
        let is_detached = AtomicBool::new(false);
        Self(Arc::new(Inner {
            stage: stage.clone(),
            is_detached,
            state,
            term,
            started: Instant::now(),
            component: OnceLock::new(),
            on_release: OnceLock::new(),
        }))
    }

    /// Sets a callback for the drop of the last clone. Only the first call has an effect.
    pub(crate) fn on_release(&self, release: impl FnOnce() + Send + Sync + 'static) {
        self.0.on_release.get_or_init(|| Release(Some(Box::new(release))));
    }

    /// Renews the lease periodically, before it expires. It never returns.
    pub(crate) async fn keep(&self) -> Infallible {
        tokio::time::sleep(FIRST_LEASE_DELAY.min(self.renewal_interval())).await;
        loop {
            self.renew().await;
            tokio::time::sleep(self.renewal_interval()).await;
        }
    }

    /// Returns the time between two renewals.
    pub(crate) fn renewal_interval(&self) -> Duration {
        self.0.term / 3
    }

    /// Renews the lease now, unless the run is detached and its objects were removed. An error is logged only, since
    /// the next renewal may succeed.
    pub(crate) async fn renew(&self) {
        if let Err(error) = self.write(|_| true).await {
            tracing::warn!("a lease could not be renewed: {}", error.report());
        }
    }

    /// Takes over a run whose owner is gone and whose lease was `found`: renews the lease for an attached handle. A
    /// detached run remains detached.
    pub(crate) async fn take_over(&self, found: Option<&Record>) {
        if let Some(found) = found {
            let mut state = self.0.state.lock().await;
            state.record.detached = found.detached;
            state.is_staged = true;
            state.record.function.clone_from(&found.function);
        }
        self.renew().await;
    }

    /// Marks the run as detached, in this process and in the stage.
    ///
    /// # Errors
    ///
    /// The error of writing the lease. The run is not marked as detached then.
    pub(crate) async fn detach(&self) -> Result<()> {
        self.0.is_detached.store(true, Ordering::Relaxed);
        let written = self.write(|record| !std::mem::replace(&mut record.detached, true)).await;
        if written.is_err() {
            self.0.is_detached.store(false, Ordering::Relaxed);
            self.0.state.lock().await.record.detached = false;
        }
        written
    }

    /// Adds the run, which calls a function of `component`, to the index of live runs, as soon as the lease is written.
    pub(crate) async fn add_to_index(&self, component: &str) {
        self.0.component.get_or_init(|| component.to_owned());
        let mut state = self.0.state.lock().await;
        let Record { run_id, function, .. } = &state.record;
        state.entry = Some(LiveRun::new(run_id.clone(), function, component));
    }

    /// Records that the run's manifest is in the stage, and the location that it names.
    pub(crate) async fn mark_staged(&self, run_location: Option<&str>) {
        let mut state = self.0.state.lock().await;
        state.is_staged = true;
        if let Some(entry) = &mut state.entry {
            entry.place = run_location.map(str::to_owned);
            state.is_entry_written = false;
        }
    }

    /// Returns the component's name, once it is known.
    #[cfg(unix)]
    pub(crate) fn component(&self) -> Option<&str> {
        self.0.component.get().map(String::as_str)
    }

    /// Returns the time since the start of the run.
    pub(crate) fn age(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// Marks the run as detached in this process, before [`detach`](Self::detach) writes the stage.
    pub(crate) fn mark_detached(&self) {
        self.0.is_detached.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_detached(&self) -> bool {
        self.0.is_detached.load(Ordering::Relaxed)
    }

    pub(crate) fn downgrade(&self) -> WeakLease {
        WeakLease(Arc::downgrade(&self.0))
    }

    /// Waits for a running write and prevents later ones. Returns whether the lease was ever written.
    pub(crate) async fn close(&self) -> bool {
        let mut state = self.0.state.lock().await;
        state.is_closed = true;
        state.record.renewals > 0
    }

    /// Changes the lease, and writes it if `change` returns true.
    async fn write(&self, change: impl FnOnce(&mut Record) -> bool + Send + 'static) -> Result<()> {
        let lease = self.clone();
        // In a separate task, so that dropping this future doesn't interrupt the write. `close` waits for it.
        let written = tokio::spawn(async move {
            let Inner { stage, state, .. } = &*lease.0;
            let mut state = state.lock().await;
            if state.is_closed || !change(&mut state.record) {
                return Ok(());
            }
            state.put_unstaged(stage).await?;
            state.record.renewals += 1;
            let (name, manifest) =
                (names::lease(&state.record.run_id), names::manifest(&state.record.run_id));
            stage.put(&name, Bytes::from(state.record.to_bytes()?)).await?;
            // The next renewal tries again. A run without an entry is only not listed.
            if let Err(error) = state.write_entry(stage, lease.age()).await {
                let run_id = &state.record.run_id;
                tracing::warn!("cargo hype ps does not list {run_id}: {}", error.report());
            }
            // A detached run may have been collected concurrently, together with its lease. Don't leave a new one
            // behind.
            if state.is_staged && state.record.detached && !stage.has(&manifest).await? {
                state.is_closed = true;
                stage.remove(&[name, names::live(&state.record.run_id)]).await?;
            }
            Ok(())
        });
        written.await.unwrap_or_else(|error| Err(Error::runner("writing a lease panicked", error)))
    }
}

impl State {
    /// Writes the entry in the index of live runs, if it has changed.
    async fn write_entry(&mut self, stage: &Stage, age: Duration) -> Result<()> {
        let Some(entry) = self.entry.as_mut().filter(|_| !self.is_entry_written) else {
            return Ok(());
        };
        entry.set_age(age);
        stage.put(&names::live(&entry.run_id), Bytes::from(entry.to_bytes()?)).await?;
        self.is_entry_written = true;
        Ok(())
    }
}

impl WeakLease {
    pub(crate) fn upgrade(&self) -> Option<Lease> {
        self.0.upgrade().map(Lease)
    }
}

/// Reads the lease of a run, if there is one in `stage`.
pub(crate) async fn find(stage: &Stage, run_id: &str) -> Result<Option<Record>> {
    match stage.get(&names::lease(run_id), Record::MAX_SIZE).await {
        Ok(bytes) => Ok(Some(Record::from_bytes(&bytes)?)),
        Err(error) if error.kind() == StageErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A watch of another owner's lease. It compares no clocks: a lease has expired if it is unchanged for its term.
#[derive(Debug)]
pub(crate) struct LeaseWatch {
    last: Option<(String, u64)>,
    since: Instant,
    term: Duration,
}

impl LeaseWatch {
    /// Starts watching at `now`. A missing lease may appear within `term`.
    pub(crate) fn new(now: Instant, term: Duration) -> Self {
        Self { last: None, since: now, term }
    }

    /// Records the lease that was found at `now`, and returns whether it has expired, so that its owner is gone.
    pub(crate) fn update(&mut self, found: Option<&Record>, now: Instant) -> bool {
        if let Some(lease) = found {
            let version = Some((lease.owner.clone(), lease.renewals));
            if version != self.last {
                (self.last, self.since, self.term) = (version, now, lease.term());
            }
        }
        now.duration_since(self.since) >= self.term
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchanged_lease_expires_after_its_term() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut lease =
            Record::new("r-1".parse().unwrap(), "train", "somebody", Duration::from_secs(10));
        let mut watch = LeaseWatch::new(start, Duration::from_secs(60));
        assert!(!watch.update(None, at(59)));
        assert!(!watch.update(Some(&lease), at(61)));
        assert!(!watch.update(Some(&lease), at(70)));
        lease.renewals += 1;
        assert!(!watch.update(Some(&lease), at(71)));
        assert!(!watch.update(Some(&lease), at(80)));
        assert!(watch.update(Some(&lease), at(81)));
        lease.owner = "another".into();
        assert!(!watch.update(Some(&lease), at(90)));
        assert!(LeaseWatch::new(start, Duration::from_secs(60)).update(None, at(60)));
    }

    #[tokio::test]
    async fn closed_lease_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        stage.put(&names::manifest("r-1"), Bytes::new()).await.unwrap();
        let lease = Lease::new(&stage, &"r-1".parse().unwrap(), "train", TERM);
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
    async fn entry_in_the_index_lives_as_long_as_the_lease() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let entry = async || {
            let read = stage.get(&names::live("r-1"), LiveRun::MAX_SIZE).await.ok()?;
            Some(LiveRun::from_bytes(&read).unwrap())
        };
        let lease = Lease::new(&stage, &"r-1".parse().unwrap(), "train", TERM);
        lease.add_to_index("models.wasm").await;
        assert_eq!(entry().await, None);
        lease.renew().await;
        let of_staging = entry().await.unwrap();
        assert_eq!((of_staging.component.as_str(), of_staging.place), ("models.wasm", None));
        lease.mark_staged(Some("kubernetes:team")).await;
        lease.renew().await;
        assert_eq!(entry().await.unwrap().place.as_deref(), Some("kubernetes:team"));
        lease.close().await;
        stage.remove_run("r-1").await.unwrap();
        assert_eq!(entry().await, None);
    }

    #[tokio::test]
    async fn collected_detached_run_gets_no_new_lease() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        stage.put(&names::manifest("r-1"), Bytes::new()).await.unwrap();
        let lease = Lease::new(&stage, &"r-1".parse().unwrap(), "train", TERM);
        lease.mark_staged(None).await;
        lease.detach().await.unwrap();
        stage.remove_run("r-1").await.unwrap();
        lease.renew().await;
        assert_eq!(find(&stage, "r-1").await.unwrap(), None);
    }

    #[tokio::test]
    async fn run_detached_before_staging_keeps_its_lease() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let lease = Lease::new(&stage, &"r-1".parse().unwrap(), "train", TERM);
        lease.detach().await.unwrap();
        lease.renew().await;
        let found = find(&stage, "r-1").await.unwrap().unwrap();
        assert_eq!((found.renewals, found.detached), (2, true));
    }

    #[tokio::test]
    async fn taken_over_run_remains_detached() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        stage.put(&names::manifest("r-1"), Bytes::new()).await.unwrap();
        Lease::new(&stage, &"r-1".parse().unwrap(), "train", TERM).detach().await.unwrap();
        let found = find(&stage, "r-1").await.unwrap();
        let lease = Lease::new(&stage, &"r-1".parse().unwrap(), "unknown", TERM);
        lease.take_over(found.as_ref()).await;
        lease.renew().await;
        let found = find(&stage, "r-1").await.unwrap().unwrap();
        assert_eq!((found.renewals, found.detached, found.function.as_str()), (2, true, "train"));
    }
}
