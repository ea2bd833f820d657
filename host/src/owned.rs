//! What is made outside this process, and must be removed.
//!
//! Rust has no asynchronous drop, so whatever is made outside this process (objects of a run,
//! later Pods and claims) is entered into an [`Owned`] *before* it is made. When the last handle of
//! that goes, by whatever way, the submitter's thread removes all of it, and whoever drops the
//! submitter waits for it, inside a runtime or outside any.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::{BoxFuture, join_all};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::background::{Background, PATIENCE, Worker};
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
    what: String,
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
        drop(worker.remove(async move {
            // What could not be removed has been told.
            let _ = remove(vec![Thing { what, removal }]).await;
            drop(of_run);
        }));
    }
}

/// All lists of this process, for the case that it is told to end.
static LISTS: Mutex<Vec<Weak<List>>> = Mutex::new(Vec::new());

impl Owned {
    /// The list of the submitter whose thread this is.
    pub(crate) fn of_submitter(background: &Background) -> Self {
        Self::new(background.worker(), Whose::Submitter(TaskTracker::new()))
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
        let list = Arc::new(List { worker: worker.clone(), whose, things });
        let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|list| list.strong_count() > 0);
        lists.push(Arc::downgrade(&list));
        Self(list)
    }

    /// Enters a thing that is about to be made, and how to remove it; one that isn't there must be
    /// no error.
    pub fn enter(
        &self,
        what: impl Into<String>,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let thing = Thing { what: what.into(), removal: Box::pin(removal) };
        if let Some(things) = &mut *self.0.lock() {
            things.others.push(thing);
        }
    }

    /// The same for a thing that is removed before all that are entered by [`enter`](Self::enter).
    pub(crate) fn enter_first(
        &self,
        what: impl Into<String>,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let thing = Thing { what: what.into(), removal: Box::pin(removal) };
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
    /// The first thing's that could not be removed; the others were tried all the same.
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
    fn stop_and_remove(self) -> JoinHandle<Result<()>> {
        let worker = self.0.worker.clone();
        self.remove_after(async move { worker.stop_drivers().await })
    }

    fn remove_after(
        self,
        before: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<Result<()>> {
        let worker = self.0.worker.clone();
        worker.remove(async move {
            before.await;
            remove(self.0.take()).await
        })
    }
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = self.0.lock();
        let all = things.iter().flat_map(|things| things.first.iter().chain(&things.others));
        f.debug_list().entries(all.map(|thing| &thing.what)).finish()
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
        let things = self.take();
        if things.is_empty() {
            return;
        }
        match &self.whose {
            Whose::Run(token) => {
                let token = token.clone();
                drop(self.worker.remove(async move {
                    // What could not be removed has been told.
                    let _ = remove(things).await;
                    drop(token);
                }));
            }
            Whose::Submitter(runs) => {
                let runs = runs.clone();
                runs.close();
                drop(self.worker.remove(async move {
                    runs.wait().await;
                    remove(things).await
                }));
            }
        }
    }
}

/// Stops all runs of this process and removes all that it made, whoever still holds it, and waits for
/// that a while.
pub(crate) async fn remove_everything() {
    let lists = std::mem::take(&mut *LISTS.lock().unwrap_or_else(PoisonError::into_inner));
    let lists: Vec<_> = lists.iter().filter_map(Weak::upgrade).map(Owned).collect();
    let (runs, submitters): (Vec<_>, Vec<_>) =
        lists.into_iter().partition(|owned| matches!(owned.0.whose, Whose::Run(_)));
    let runs_are_gone = CancellationToken::new();
    // All is begun at once: a thread stays for what it has begun, whoever drops its submitter.
    let runs: Vec<_> = runs.into_iter().map(Owned::stop_and_remove).collect();
    let submitters: Vec<_> = submitters
        .into_iter()
        .map(|owned| owned.remove_after(runs_are_gone.clone().cancelled_owned()))
        .collect();
    let removal = async {
        // What could not be removed has been told.
        join_all(runs).await;
        runs_are_gone.cancel();
        join_all(submitters).await;
    };
    if tokio::time::timeout(PATIENCE, removal).await.is_err() {
        tracing::warn!("gave up after {PATIENCE:?} on things that were still being removed");
    }
}

async fn remove(things: Vec<Thing>) -> Result<()> {
    let mut result = Ok(());
    for thing in things {
        if let Err(error) = thing.removal.await {
            tracing::warn!("{} could not be removed: {}", thing.what, error.report());
            result = result.and(Err(error));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn thing(
        order: &Arc<Mutex<Vec<u32>>>,
        number: u32,
    ) -> impl Future<Output = Result<()>> + use<> {
        let order = Arc::clone(order);
        async move {
            tokio::task::yield_now().await;
            order.lock().unwrap().push(number);
            Ok(())
        }
    }

    #[test]
    fn the_last_handle_removes_all_the_newest_first() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let background = Background::start().unwrap();
        let owned = Owned::of_submitter(&background);
        owned.enter("one", thing(&order, 1));
        let other = owned.clone();
        other.enter("two", thing(&order, 2));
        drop(owned);
        assert!(order.lock().unwrap().is_empty());
        drop(other);
        drop(background);
        assert_eq!(*order.lock().unwrap(), [2, 1]);
    }

    #[test]
    fn what_must_go_first_goes_before_what_is_newer() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let background = Background::start().unwrap();
        let owned = Owned::of_submitter(&background);
        owned.enter_first("first", thing(&order, 1));
        owned.enter("older", thing(&order, 3));
        owned.enter("newer", thing(&order, 2));
        drop(owned);
        drop(background);
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn it_works_inside_a_runtime_too() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let background = Background::start().unwrap();
        let owned = Owned::of_submitter(&background);
        owned.enter("one", thing(&order, 1));
        drop(owned);
        drop(background);
        assert_eq!(*order.lock().unwrap(), [1]);
    }

    #[test]
    fn what_runs_may_use_goes_after_all_that_is_theirs() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let background = Background::start().unwrap();
        let submitter = Owned::of_submitter(&background);
        let run = submitter.of_run();
        submitter.enter("volume", thing(&order, 1));
        for number in 2..10 {
            run.enter("of the run", thing(&order, number));
        }
        drop(submitter);
        drop(run);
        drop(background);
        assert_eq!(*order.lock().unwrap(), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    }

    #[cfg(any(feature = "docker", feature = "kubernetes"))]
    #[test]
    fn what_is_removed_beside_a_run_goes_before_what_is_the_submitters() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let background = Background::start().unwrap();
        let submitter = Owned::of_submitter(&background);
        let run = submitter.of_run();
        submitter.enter("volume", thing(&order, 3));
        run.enter("objects", thing(&order, 1));
        let (beside, slow) = (run.beside(), Arc::clone(&order));
        run.enter("container", async move {
            let removal = async move {
                while slow.lock().unwrap().is_empty() {
                    tokio::task::yield_now().await;
                }
                thing(&slow, 2).await
            };
            beside.remove("container".into(), Box::pin(removal));
            Ok(())
        });
        drop(submitter);
        drop(run);
        drop(background);
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn one_failure_stops_no_other_removal() {
        let removed = Arc::new(AtomicUsize::new(0));
        let background = Background::start().unwrap();
        let owned = Owned::of_submitter(&background);
        for number in 0..3 {
            let removed = Arc::clone(&removed);
            owned.enter(format!("thing {number}"), async move {
                removed.fetch_add(1, Ordering::Relaxed);
                if number == 1 { Err(Error::input("it is stuck")) } else { Ok(()) }
            });
        }
        let error = owned.remove().await.unwrap_err();
        assert_eq!(error.to_string(), "it is stuck");
        assert_eq!(removed.load(Ordering::Relaxed), 3);
    }
}
