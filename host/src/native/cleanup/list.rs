//! Cleanup lists.
//!
//! Rust has no asynchronous drop, so that everything that is created outside this process, such as objects in the
//! stage, containers, Pods and claims, is registered in a [`CleanupList`] *before* it is created. When the last handle
//! of the list is dropped, the submitter's thread removes all of it. The drop of the submitter waits for that, inside a
//! runtime and outside.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::{BoxFuture, join_all};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::cleanup::background::{Background, REMOVAL_TIMEOUT, Worker};
use crate::cleanup::remaining::{self, Remaining};
use crate::error::{Error, Result};

/// The list of removals for everything that a run or a submitter creates outside this process.
///
/// Clones share one list. When the last clone is dropped, all registered removals run, the newest first.
#[derive(Clone)]
pub struct CleanupList(Arc<List>);

struct List {
    worker: Worker,
    scope: Scope,
    /// `None` once the list is abandoned.
    cleanups: Mutex<Option<Cleanups>>,
}

/// The registered removals, the newest last.
#[derive(Default)]
struct Cleanups {
    /// Removals that run before all others.
    first: Vec<Cleanup>,
    others: Vec<Cleanup>,
}

impl Cleanups {
    fn in_order(self) -> Vec<Cleanup> {
        self.first.into_iter().rev().chain(self.others.into_iter().rev()).collect()
    }
}

struct Cleanup {
    /// The leftover until the removal ran; `None` for an action that leaves nothing behind if it is skipped.
    what: Option<Remaining>,
    removal: BoxFuture<'static, Result<()>>,
}

/// The owner of a list. A submitter's list is removed after the lists of its runs, since runs may use what the
/// submitter created, such as a volume.
enum Scope {
    /// A submitter, with a tracker of its runs' lists and these lists by number.
    Submitter(TaskTracker, RunLists),
    /// A run, with its token of the submitter's tracker.
    Run(TaskTrackerToken, Entry),
}

/// The lists of a submitter's runs by number. The drop of a list's [`Entry`] removes it from the map.
type RunLists = Arc<Mutex<HashMap<u64, Weak<List>>>>;

/// The entry of a run's list among the lists of its submitter.
struct Entry {
    lists: RunLists,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.lists).remove(&self.number);
    }
}

/// The lists of all submitters of this process, which are removed when it receives a signal to end.
static SUBMITTERS: Mutex<Vec<Weak<List>>> = Mutex::new(Vec::new());

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A handle that runs removals in the background, so that the other removals of the list don't wait for them. They
/// still end before the removals of the submitter's list begin.
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(crate) struct BackgroundCleanup {
    worker: Worker,
    of_run: Option<TaskTrackerToken>,
}

#[cfg(any(feature = "docker", feature = "kubernetes"))]
impl BackgroundCleanup {
    pub(crate) fn remove(self, what: String, removal: BoxFuture<'static, Result<()>>) {
        let Self { worker, of_run } = self;
        let submitter = worker.submitter;
        drop(worker.remove(async move {
            let what = Some(Remaining::new(submitter, what));
            log_failure(remove(vec![Cleanup { what, removal }]).await);
            drop(of_run);
        }));
    }
}

impl CleanupList {
    /// Creates the list of the submitter whose thread is `background`.
    pub(crate) fn of_submitter(background: &Background) -> Self {
        let scope = Scope::Submitter(TaskTracker::new(), RunLists::default());
        let cleanup = Self(Arc::new(List::new(background.worker(), scope)));
        let mut submitters = lock(&SUBMITTERS);
        submitters.retain(|list| list.strong_count() > 0);
        submitters.push(Arc::downgrade(&cleanup.0));
        cleanup
    }

    /// Creates the list of a run of this submitter.
    pub(crate) fn of_run(&self) -> Self {
        let (token, lists) = match &self.0.scope {
            Scope::Submitter(runs, lists) => (runs.token(), lists),
            Scope::Run(token, entry) => (token.clone(), &entry.lists),
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { lists: Arc::clone(lists), number };
        let list = Arc::new(List::new(&self.0.worker, Scope::Run(token, entry)));
        lock(lists).insert(number, Arc::downgrade(&list));
        Self(list)
    }

    /// Registers the removal of an object that is about to be created. `what` names the object in messages. The removal
    /// must be idempotent: an object that doesn't exist is no error.
    pub fn register(
        &self,
        what: impl Into<String>,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let cleanup = self.new_cleanup(what.into(), removal);
        if let Some(cleanups) = &mut *self.0.lock() {
            cleanups.others.push(cleanup);
        }
    }

    /// Registers an action that runs together with the removals and leaves nothing behind if it is skipped.
    pub(crate) fn register_action(
        &self,
        action: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        if let Some(cleanups) = &mut *self.0.lock() {
            cleanups.others.push(Cleanup { what: None, removal: Box::pin(action) });
        }
    }

    fn new_cleanup(
        &self,
        what: String,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Cleanup {
        let what = Some(Remaining::new(self.0.worker.submitter, what));
        Cleanup { what, removal: Box::pin(removal) }
    }

    /// Registers a removal that runs before all removals of [`register`](Self::register).
    pub(crate) fn register_first(
        &self,
        what: impl Into<String>,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let cleanup = self.new_cleanup(what.into(), removal);
        if let Some(cleanups) = &mut *self.0.lock() {
            cleanups.first.push(cleanup);
        }
    }

    /// Returns a handle that runs removals in the background.
    #[cfg(any(feature = "docker", feature = "kubernetes"))]
    pub(crate) fn background_cleanup(&self) -> BackgroundCleanup {
        let of_run = match &self.0.scope {
            Scope::Submitter(..) => None,
            Scope::Run(token, _) => Some(token.clone()),
        };
        BackgroundCleanup { worker: self.0.worker.clone(), of_run }
    }

    /// Drops all registered removals without running them, and ignores later ones.
    pub(crate) fn abandon(&self) {
        drop(self.0.lock().take());
    }

    /// Returns whether the registered removals were dropped without running.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.lock().is_none()
    }

    /// Runs `work` on the submitter's thread. The end of the submitter waits for it; `what` completes the message
    /// "waiting ..".
    pub(crate) fn finish(&self, what: String, work: impl Future<Output = ()> + Send + 'static) {
        self.0.worker.finish(what, work);
    }

    /// Runs all registered removals.
    ///
    /// # Errors
    ///
    /// The error of the first failed removal, with the names of all leftovers. The other removals run anyway.
    pub(crate) async fn remove(&self) -> Result<()> {
        self.run_removal(remove(self.0.take())).await
    }

    /// Runs `removal` on the submitter's thread. It runs to its end, even if the returned future is dropped.
    ///
    /// # Errors
    ///
    /// The error of `removal`, or [`Input`](crate::ErrorKind::Input) in a fork of the submitter's process.
    pub(crate) async fn run_removal(
        &self,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        self.0.worker.check_process()?;
        end_of(self.0.worker.remove(removal)).await
    }

    /// Begins to run `removal` on the submitter's thread. The removals of this list wait for its end.
    pub(crate) fn remove_beside(&self, removal: impl Future<Output = Result<()>> + Send + 'static) {
        self.register_action(end_of(self.0.worker.remove(removal)));
    }

    /// Returns the lists of this submitter's runs.
    fn runs(&self) -> Vec<Self> {
        match &self.0.scope {
            Scope::Submitter(_, lists) => {
                lock(lists).values().filter_map(Weak::upgrade).map(Self).collect()
            }
            Scope::Run(..) => Vec::new(),
        }
    }

    /// Stops the runs, so that they register nothing more, and then runs all registered removals.
    fn stop_and_remove(self) -> JoinHandle<()> {
        let worker = self.0.worker.clone();
        self.remove_after(async move { worker.stop_drivers().await })
    }

    fn remove_after(self, before: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let worker = self.0.worker.clone();
        worker.remove(async move {
            before.await;
            log_failure(remove(self.0.take()).await);
        })
    }
}

impl fmt::Debug for CleanupList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cleanups = self.0.lock();
        let all =
            cleanups.iter().flat_map(|cleanups| cleanups.first.iter().chain(&cleanups.others));
        f.debug_list()
            .entries(all.filter_map(|cleanup| cleanup.what.as_ref().map(Remaining::name)))
            .finish()
    }
}

impl List {
    fn new(worker: &Worker, scope: Scope) -> Self {
        Self { worker: worker.clone(), scope, cleanups: Mutex::new(Some(Cleanups::default())) }
    }

    /// Takes all registered removals, in the order in which they must run.
    fn take(&self) -> Vec<Cleanup> {
        self.lock().as_mut().map(std::mem::take).unwrap_or_default().in_order()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Cleanups>> {
        lock(&self.cleanups)
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let cleanups = self.take();
        if cleanups.is_empty() || self.worker.is_forked() {
            return;
        }
        match &self.scope {
            Scope::Run(token, _) => {
                let token = token.clone();
                drop(self.worker.remove(async move {
                    log_failure(remove(cleanups).await);
                    drop(token);
                }));
            }
            Scope::Submitter(runs, _) => {
                let runs = runs.clone();
                runs.close();
                drop(self.worker.remove(async move {
                    runs.wait().await;
                    log_failure(remove(cleanups).await);
                }));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stops all runs of this process, and runs the removals of all lists, even if handles of them still exist. Waits up to
/// [`REMOVAL_TIMEOUT`].
pub(crate) async fn remove_everything() {
    let submitters = std::mem::take(&mut *lock(&SUBMITTERS));
    let submitters = submitters.iter().filter_map(Weak::upgrade);
    let submitters: Vec<_> =
        submitters.filter(|list| !list.worker.is_forked()).map(CleanupList).collect();
    let runs = submitters.iter().flat_map(CleanupList::runs);
    let runs_are_removed = CancellationToken::new();
    // All removals start now: a submitter's thread lives until the removals that it has started end.
    let runs: Vec<_> = runs.map(CleanupList::stop_and_remove).collect();
    let submitters: Vec<_> = submitters
        .into_iter()
        .map(|cleanup| cleanup.remove_after(runs_are_removed.clone().cancelled_owned()))
        .collect();
    let removal = async {
        join_all(runs).await;
        runs_are_removed.cancel();
        join_all(submitters).await;
    };
    if tokio::time::timeout(REMOVAL_TIMEOUT, removal).await.is_err() {
        let left = remaining::names(None);
        tracing::warn!(
            "gave up after {REMOVAL_TIMEOUT:?} on what was still being removed; left behind: {left}"
        );
    }
}

async fn end_of(removal: JoinHandle<Result<()>>) -> Result<()> {
    removal.await.map_err(|error| Error::runner("a removal panicked", error))?
}

/// Runs all of `cleanups`. The hint of the first error names all leftovers; other errors are logged.
async fn remove(cleanups: Vec<Cleanup>) -> Result<()> {
    let (mut first, mut names) = (None, Vec::new());
    for Cleanup { what, removal } in cleanups {
        let Err(error) = removal.await else { continue };
        let name = what.as_ref().map(Remaining::name);
        if first.is_some() {
            let name = name.as_deref().unwrap_or("something");
            tracing::warn!("{name} could not be removed: {}", error.report());
        }
        first = first.or(Some(error));
        names.extend(name);
    }
    names.dedup();
    match first {
        Some(error) => Err(error.append_hint(format!("left behind: {}", names.join(", ")))),
        None => Ok(()),
    }
}

/// Logs the error of a removal that has no caller.
fn log_failure(removed: Result<()>) {
    if let Err(error) = removed {
        tracing::warn!("not everything could be removed: {}", error.report());
    }
}

#[cfg(test)]
mod tests;
