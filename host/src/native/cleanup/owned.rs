//! What is made outside this process, and must be removed.
//!
//! Rust has no asynchronous drop, so whatever is made outside this process (objects of a run,
//! later Pods and claims) is entered into an [`Owned`] *before* it is made. When the last handle of
//! that goes, by whatever way, the submitter's thread removes all of it, and whoever drops the
//! submitter waits for it, inside a runtime or outside any.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::{BoxFuture, join_all};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::cleanup::background::{Background, PATIENCE, Worker};
use crate::cleanup::remaining::{self, Remaining};
use crate::error::{Error, Result};

/// What a run, or a submitter, makes outside this process and must remove. Clones are one list; when
/// the last of them goes, all that is entered is removed, the newest first.
#[derive(Clone)]
pub struct Owned(Arc<List>);

struct List {
    worker: Worker,
    whose: Whose,
    /// None when all of it was left to others.
    things: Mutex<Option<Things>>,
}

/// What is to be removed, the newest last.
#[derive(Default)]
struct Things {
    /// Before all others.
    first: Vec<Thing>,
    others: Vec<Thing>,
}

impl Things {
    fn in_order(self) -> Vec<Thing> {
        self.first.into_iter().rev().chain(self.others.into_iter().rev()).collect()
    }
}

struct Thing {
    /// None if nothing is left behind where it isn't done.
    what: Option<Remaining>,
    removal: BoxFuture<'static, Result<()>>,
}

/// What a list belongs to. What a submitter made, such as a volume, its runs may still use: it goes
/// after all that is theirs.
enum Whose {
    /// With a tracker of the lists of its runs, of which each has a token, and these lists by number.
    Submitter(TaskTracker, Lists),
    Run(TaskTrackerToken, Entry),
}

/// Lists of runs by number; one that goes takes itself out.
type Lists = Arc<Mutex<HashMap<u64, Weak<List>>>>;

/// The entry of a run's list among those of its submitter.
struct Entry {
    lists: Lists,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.lists).remove(&self.number);
    }
}

/// The lists of all submitters of this process, for the case that it is told to end.
static SUBMITTERS: Mutex<Vec<Weak<List>>> = Mutex::new(Vec::new());

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Removes what nothing else of a list needs to wait for. It goes before what its submitter made all
/// the same.
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(crate) struct Beside {
    worker: Worker,
    of_run: Option<TaskTrackerToken>,
}

#[cfg(any(feature = "docker", feature = "kubernetes"))]
impl Beside {
    pub(crate) fn remove(self, what: String, removal: BoxFuture<'static, Result<()>>) {
        let Self { worker, of_run } = self;
        let submitter = worker.submitter;
        drop(worker.remove(async move {
            let what = Some(Remaining::new(submitter, what));
            tell(remove(vec![Thing { what, removal }]).await);
            drop(of_run);
        }));
    }
}

impl Owned {
    /// The list of the submitter whose thread this is.
    pub(crate) fn of_submitter(background: &Background) -> Self {
        let whose = Whose::Submitter(TaskTracker::new(), Lists::default());
        let owned = Self(Arc::new(List::new(background.worker(), whose)));
        let mut submitters = lock(&SUBMITTERS);
        submitters.retain(|list| list.strong_count() > 0);
        submitters.push(Arc::downgrade(&owned.0));
        owned
    }

    /// The list of a run of the submitter whose list this is.
    pub(crate) fn of_run(&self) -> Self {
        let (token, lists) = match &self.0.whose {
            Whose::Submitter(runs, lists) => (runs.token(), lists),
            Whose::Run(token, entry) => (token.clone(), &entry.lists),
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { lists: Arc::clone(lists), number };
        let list = Arc::new(List::new(&self.0.worker, Whose::Run(token, entry)));
        lock(lists).insert(number, Arc::downgrade(&list));
        Self(list)
    }

    /// Enters a thing that is about to be made, and how to remove it; one that isn't there must be
    /// no error.
    pub fn enter(
        &self,
        what: impl Into<String>,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let thing = self.thing(what.into(), removal);
        if let Some(things) = &mut *self.0.lock() {
            things.others.push(thing);
        }
    }

    /// Enters something that is to be done with the removals, and leaves nothing behind where it isn't.
    pub(crate) fn enter_action(&self, action: impl Future<Output = Result<()>> + Send + 'static) {
        if let Some(things) = &mut *self.0.lock() {
            things.others.push(Thing { what: None, removal: Box::pin(action) });
        }
    }

    fn thing(
        &self,
        what: String,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Thing {
        let what = Some(Remaining::new(self.0.worker.submitter, what));
        Thing { what, removal: Box::pin(removal) }
    }

    /// The same for a thing that is removed before all that are entered by [`enter`](Self::enter).
    pub(crate) fn enter_first(
        &self,
        what: impl Into<String>,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let thing = self.thing(what.into(), removal);
        if let Some(things) = &mut *self.0.lock() {
            things.first.push(thing);
        }
    }

    /// A way to remove things beside the list.
    #[cfg(any(feature = "docker", feature = "kubernetes"))]
    pub(crate) fn beside(&self) -> Beside {
        let of_run = match &self.0.whose {
            Whose::Submitter(..) => None,
            Whose::Run(token, _) => Some(token.clone()),
        };
        Beside { worker: self.0.worker.clone(), of_run }
    }

    /// Leaves to others all that is entered, and all that will be.
    pub(crate) fn leave(&self) {
        drop(self.0.lock().take());
    }

    /// Has something done on the submitter's thread that the submitter's end waits for; `what` completes the sentence
    /// "waiting ..".
    pub(crate) fn finish(&self, what: String, work: impl Future<Output = ()> + Send + 'static) {
        self.0.worker.finish(what, work);
    }

    /// Removes all that is entered.
    ///
    /// # Errors
    ///
    /// The first thing's that could not be removed, with the names of all that are left behind; the others were tried
    /// all the same.
    pub(crate) async fn remove(&self) -> Result<()> {
        self.remove_now(remove(self.0.take())).await
    }

    /// Has `removal` done on the submitter's thread, to its end whoever waits for it.
    pub(crate) async fn remove_now(
        &self,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        let removal = self.0.worker.remove(removal);
        removal.await.map_err(|error| Error::runner("a removal broke down", error))?
    }

    /// The lists of the runs of the submitter whose list this is.
    fn runs(&self) -> Vec<Self> {
        match &self.0.whose {
            Whose::Submitter(_, lists) => {
                lock(lists).values().filter_map(Weak::upgrade).map(Self).collect()
            }
            Whose::Run(..) => Vec::new(),
        }
    }

    /// Begins to remove all that is entered, once nothing can enter more.
    fn stop_and_remove(self) -> JoinHandle<()> {
        let worker = self.0.worker.clone();
        self.remove_after(async move { worker.stop_drivers().await })
    }

    fn remove_after(self, before: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let worker = self.0.worker.clone();
        worker.remove(async move {
            before.await;
            tell(remove(self.0.take()).await);
        })
    }
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = self.0.lock();
        let all = things.iter().flat_map(|things| things.first.iter().chain(&things.others));
        f.debug_list()
            .entries(all.filter_map(|thing| thing.what.as_ref().map(Remaining::name)))
            .finish()
    }
}

impl List {
    fn new(worker: &Worker, whose: Whose) -> Self {
        Self { worker: worker.clone(), whose, things: Mutex::new(Some(Things::default())) }
    }

    /// All of them, in the order in which they are to be removed.
    fn take(&self) -> Vec<Thing> {
        self.lock().as_mut().map(std::mem::take).unwrap_or_default().in_order()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Things>> {
        lock(&self.things)
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let things = self.take();
        if things.is_empty() {
            return;
        }
        match &self.whose {
            Whose::Run(token, _) => {
                let token = token.clone();
                drop(self.worker.remove(async move {
                    tell(remove(things).await);
                    drop(token);
                }));
            }
            Whose::Submitter(runs, _) => {
                let runs = runs.clone();
                runs.close();
                drop(self.worker.remove(async move {
                    runs.wait().await;
                    tell(remove(things).await);
                }));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stops all runs of this process and removes all that it made, whoever still holds it, and waits for
/// that a while.
pub(crate) async fn remove_everything() {
    let submitters = std::mem::take(&mut *lock(&SUBMITTERS));
    let submitters: Vec<_> = submitters.iter().filter_map(Weak::upgrade).map(Owned).collect();
    let runs = submitters.iter().flat_map(Owned::runs);
    let runs_are_gone = CancellationToken::new();
    // All is begun at once: a thread stays for what it has begun, whoever drops its submitter.
    let runs: Vec<_> = runs.map(Owned::stop_and_remove).collect();
    let submitters: Vec<_> = submitters
        .into_iter()
        .map(|owned| owned.remove_after(runs_are_gone.clone().cancelled_owned()))
        .collect();
    let removal = async {
        join_all(runs).await;
        runs_are_gone.cancel();
        join_all(submitters).await;
    };
    if tokio::time::timeout(PATIENCE, removal).await.is_err() {
        let left = remaining::names(None);
        tracing::warn!(
            "gave up after {PATIENCE:?} on what was still being removed; left behind: {left}"
        );
    }
}

/// Removes all of `things`. The error of the first that can't be removed names all of them; those of the others are
/// told.
async fn remove(things: Vec<Thing>) -> Result<()> {
    let (mut first, mut names) = (None, Vec::new());
    for Thing { what, removal } in things {
        let Err(error) = removal.await else { continue };
        let name = what.as_ref().map(Remaining::name);
        if first.is_some() {
            let shown = name.as_deref().unwrap_or("something");
            tracing::warn!("{shown} could not be removed: {}", error.report());
        }
        first = first.or(Some(error));
        names.extend(name);
    }
    names.dedup();
    match first {
        Some(error) => Err(error.hint_also(format!("left behind: {}", names.join(", ")))),
        None => Ok(()),
    }
}

/// Tells what could not be removed, where nobody is given the error.
fn tell(removed: Result<()>) {
    if let Err(error) = removed {
        tracing::warn!("not everything could be removed: {}", error.report());
    }
}

#[cfg(test)]
mod tests;
