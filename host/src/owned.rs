//! What is made outside this process, and must be removed.
//!
//! Rust has no asynchronous drop, so whatever is made outside this process (objects of a run,
//! later Pods and claims) is entered into an [`Owned`] *before* it is made. When the last handle of
//! that goes, by whatever way, the submitter's thread removes all of it, and whoever drops the
//! submitter waits for it, inside a runtime or outside any.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::{BoxFuture, join_all};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::background::{Background, PATIENCE, Worker};
use crate::error::{Error, Result};
use crate::registry::{self, Registry};
use crate::remaining::{self, Remaining};

/// What a run, or a submitter, makes outside this process and must remove. Clones are one list; when
/// the last of them goes, all that is entered is removed, the newest first.
#[derive(Clone)]
pub struct Owned(Arc<List>);

pub(crate) struct List {
    worker: Worker,
    /// Its number in the registry of its submitter.
    number: u64,
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
    /// With the lists of its runs, of which each has a token.
    Submitter(TaskTracker),
    Run(TaskTrackerToken),
}

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
        Self::new(background.worker(), Whose::Submitter(TaskTracker::new()))
    }

    /// Returns the registry of the submitter.
    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.0.worker.registry
    }

    /// The list of a run of the submitter whose list this is.
    pub(crate) fn of_run(&self) -> Self {
        let token = match &self.0.whose {
            Whose::Submitter(runs) => runs.token(),
            Whose::Run(token) => token.clone(),
        };
        Self::new(&self.0.worker, Whose::Run(token))
    }

    fn new(worker: &Worker, whose: Whose) -> Self {
        let things = Mutex::new(Some(Things::default()));
        Self(Arc::new_cyclic(|list| {
            let number = worker.registry.add_list(list.clone());
            List { worker: worker.clone(), number, whose, things }
        }))
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
            Whose::Submitter(_) => None,
            Whose::Run(token) => Some(token.clone()),
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
    /// All of them, in the order in which they are to be removed.
    fn take(&self) -> Vec<Thing> {
        self.lock().as_mut().map(std::mem::take).unwrap_or_default().in_order()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Things>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for List {
    fn drop(&mut self) {
        self.worker.registry.remove_list(self.number);
        let things = self.take();
        if things.is_empty() {
            return;
        }
        match &self.whose {
            Whose::Run(token) => {
                let token = token.clone();
                drop(self.worker.remove(async move {
                    tell(remove(things).await);
                    drop(token);
                }));
            }
            Whose::Submitter(runs) => {
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

/// Stops all runs of this process and removes all that it made, whoever still holds it, and waits for
/// that a while.
pub(crate) async fn remove_everything() {
    let registries = registry::all();
    let lists = registries.iter().flat_map(|registry| registry.lists()).map(Owned);
    let (runs, submitters): (Vec<_>, Vec<_>) =
        lists.partition(|owned| matches!(owned.0.whose, Whose::Run(_)));
    let runs_are_gone = CancellationToken::new();
    // All is begun at once: a thread stays for what it has begun, whoever drops its submitter.
    let runs: Vec<_> = runs.into_iter().map(Owned::stop_and_remove).collect();
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
