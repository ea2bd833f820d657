//! The thread on which a submitter's runs proceed, and what they made is removed.
//!
//! Rust has no asynchronous drop, so whatever is made outside this process (objects of a run,
//! later Pods and claims) is entered into an [`Owned`] *before* it is made. When the last handle of
//! that goes, by whatever way, this thread removes all of it, and whoever drops the submitter waits
//! for it, inside a runtime or outside any.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use crate::error::{Error, Result};

/// How long the drop of a submitter waits for what is still to be removed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A thread with a runtime. Dropping it waits for the removals that are under way.
pub(crate) struct Background {
    worker: Worker,
    stop: watch::Sender<bool>,
    stopping: watch::Receiver<bool>,
    stopped: Mutex<mpsc::Receiver<()>>,
}

/// A way to have something done on the thread.
#[derive(Clone)]
struct Worker {
    handle: Handle,
    /// All that is done there: runs, and removals.
    tasks: TaskTracker,
}

impl Background {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let worker = Worker { handle: runtime.handle().clone(), tasks: TaskTracker::new() };
        let (stop, stopping) = watch::channel(false);
        let (tell_stopped, stopped) = mpsc::channel();
        let (tasks, mut told_to_stop) = (worker.tasks.clone(), stopping.clone());
        std::thread::Builder::new().name("hype-background".into()).spawn(move || {
            runtime.block_on(async {
                // An error says that the submitter is gone, which is the same.
                let _ = told_to_stop.wait_for(|stop| *stop).await;
                tasks.close();
                tasks.wait().await;
            });
            drop(runtime);
            // Nobody may be waiting any more.
            let _ = tell_stopped.send(());
        })?;
        Ok(Self { worker, stop, stopping, stopped: Mutex::new(stopped) })
    }

    /// Has `future` done on the thread, at the longest until the submitter goes.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut stopping = self.stopping.clone();
        let task = async move {
            tokio::select! {
                () = future => {}
                // An error says the same.
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        };
        self.worker.tasks.spawn_on(task, &self.worker.handle).abort_handle()
    }

    /// A new list of things to remove here.
    pub(crate) fn owned(&self) -> Owned {
        let list = Arc::new(List { worker: self.worker.clone(), things: Mutex::default() });
        let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|list| list.strong_count() > 0);
        lists.push(Arc::downgrade(&list));
        Owned(list)
    }
}

/// All lists of this process, for the case that it is told to end.
static LISTS: Mutex<Vec<Weak<List>>> = Mutex::new(Vec::new());

/// Removes all that this process made, whoever still holds it, and waits for that a while.
pub(crate) async fn remove_everything() {
    let lists = std::mem::take(&mut *LISTS.lock().unwrap_or_else(PoisonError::into_inner));
    let removals = lists.iter().filter_map(Weak::upgrade).map(|list| async move {
        // What could not be removed has been told.
        let _ = Owned(list).remove().await;
    });
    if tokio::time::timeout(PATIENCE, futures::future::join_all(removals)).await.is_err() {
        tracing::warn!("gave up after {PATIENCE:?} on things that were still being removed");
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let stopped = self.stopped.get_mut().unwrap_or_else(PoisonError::into_inner);
        if stopped.recv_timeout(PATIENCE).is_err() {
            tracing::warn!(
                "gave up after {PATIENCE:?} on {} things that were still being removed",
                self.worker.tasks.len()
            );
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}

/// What a run, or a submitter, makes outside this process and must remove. Clones are one list; when
/// the last of them goes, all that is entered is removed, the newest first.
#[derive(Clone)]
pub struct Owned(Arc<List>);

struct List {
    worker: Worker,
    things: Mutex<Vec<Thing>>,
}

struct Thing {
    what: String,
    removal: BoxFuture<'static, Result<()>>,
}

impl Owned {
    /// Enters a thing that is about to be made, and how to remove it; one that isn't there must be
    /// no error.
    pub fn enter(
        &self,
        what: impl Into<String>,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let thing = Thing { what: what.into(), removal: Box::pin(removal) };
        self.0.things.lock().unwrap_or_else(PoisonError::into_inner).push(thing);
    }

    /// Leaves all that is entered to others.
    pub(crate) fn forget(&self) {
        drop(self.0.take());
    }

    /// Removes all that is entered.
    ///
    /// # Errors
    ///
    /// The first thing's that could not be removed; the others were tried all the same.
    pub(crate) async fn remove(&self) -> Result<()> {
        let removal = self.0.worker.spawn(remove(self.0.take()));
        removal.await.map_err(|error| Error::runner("a removal broke down", error))?
    }
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = self.0.things.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(things.iter().map(|thing| &thing.what)).finish()
    }
}

impl Worker {
    fn spawn(
        &self,
        removal: impl Future<Output = Result<()>> + Send + 'static,
    ) -> tokio::task::JoinHandle<Result<()>> {
        self.tasks.spawn_on(removal, &self.handle)
    }
}

impl List {
    fn take(&self) -> Vec<Thing> {
        std::mem::take(&mut *self.things.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let things = self.take();
        if !things.is_empty() {
            drop(self.worker.spawn(remove(things)));
        }
    }
}

async fn remove(things: Vec<Thing>) -> Result<()> {
    let mut result = Ok(());
    for thing in things.into_iter().rev() {
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
        let owned = background.owned();
        owned.enter("one", thing(&order, 1));
        let other = owned.clone();
        other.enter("two", thing(&order, 2));
        drop(owned);
        assert!(order.lock().unwrap().is_empty());
        drop(other);
        drop(background);
        assert_eq!(*order.lock().unwrap(), [2, 1]);
    }

    #[tokio::test]
    async fn it_works_inside_a_runtime_too() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let background = Background::start().unwrap();
        let owned = background.owned();
        owned.enter("one", thing(&order, 1));
        drop(owned);
        drop(background);
        assert_eq!(*order.lock().unwrap(), [1]);
    }

    #[tokio::test]
    async fn one_failure_stops_no_other_removal() {
        let removed = Arc::new(AtomicUsize::new(0));
        let background = Background::start().unwrap();
        let owned = background.owned();
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
