//! The thread on which a submitter's runs proceed, and what they made is removed.

use std::fmt;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cleanup::pending::{self, Pending, SubmitterId};
use crate::cleanup::remaining;

/// How long the drop of a submitter waits for what is still to be removed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A thread with a runtime. Dropping it waits for what is pending, stops the runs, and waits for the removals.
pub(crate) struct Background {
    worker: Worker,
    stop: watch::Sender<bool>,
    /// Told once nothing is pending any more, and once more when all is removed.
    stopped: Mutex<mpsc::Receiver<()>>,
}

/// A way to have something done on the thread.
#[derive(Clone)]
pub(crate) struct Worker {
    handle: Handle,
    /// What drives runs.
    drivers: TaskTracker,
    /// Tells the drivers to stop.
    stop_drivers: CancellationToken,
    removals: TaskTracker,
    /// How many of them are not done.
    undone: watch::Sender<usize>,
    pub(crate) submitter: SubmitterId,
}

/// Counts a removal until it is done or dropped.
struct Undone(watch::Sender<usize>);

impl Background {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let worker = Worker {
            handle: runtime.handle().clone(),
            drivers: TaskTracker::new(),
            stop_drivers: CancellationToken::new(),
            removals: TaskTracker::new(),
            undone: watch::Sender::new(0),
            submitter: SubmitterId::new(),
        };
        let (stop, mut told_to_stop) = watch::channel(false);
        let (tell_stopped, stopped) = mpsc::channel();
        let working = worker.clone();
        std::thread::Builder::new().name("hype-background".into()).spawn(move || {
            runtime.block_on(async {
                // An error says that the submitter is gone, which is the same.
                let _ = told_to_stop.wait_for(|stop| *stop).await;
                pending::wait_for_all(Some(working.submitter)).await;
                // Nobody may be waiting any more.
                let _ = tell_stopped.send(());
                working.stop_drivers().await;
                working.removals.close();
                working.removals.wait().await;
            });
            drop(runtime);
            // Nobody may be waiting any more.
            let _ = tell_stopped.send(());
        })?;
        Ok(Self { worker, stop, stopped: Mutex::new(stopped) })
    }

    /// Has `future` done on the thread, at the longest until the submitter goes.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let Worker { handle, drivers, stop_drivers, .. } = &self.worker;
        let stopped = stop_drivers.clone().cancelled_owned();
        let task = async move {
            tokio::select! {
                biased;
                () = stopped => {}
                () = future => {}
            }
        };
        drivers.spawn_on(task, handle).abort_handle()
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }
}

impl Worker {
    /// Has something removed on the thread.
    pub(crate) fn remove<T: Send + 'static>(
        &self,
        removal: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let undone = Undone::new(&self.undone);
        let removal = async move {
            let _undone = undone;
            removal.await
        };
        self.removals.spawn_on(removal, &self.handle)
    }

    /// Has something done that the end of the submitter waits for, however long that takes, unless the program is told
    /// to end; `what` completes the sentence "waiting ..".
    pub(crate) fn finish(&self, what: String, work: impl Future<Output = ()> + Send + 'static) {
        let pending = Pending::begin(self.submitter, what);
        let work = async move {
            let _pending = pending;
            tokio::select! {
                () = work => {}
                () = pending::given_up() => {}
            }
        };
        drop(self.removals.spawn_on(work, &self.handle));
    }

    /// Waits until nothing is pending, and says what it waits for.
    pub(crate) async fn nothing_pending(&self) {
        pending::wait_for_all(Some(self.submitter)).await;
    }

    /// Waits until nothing is being removed.
    pub(crate) async fn nothing_to_remove(&self) {
        // An error would say that this worker is gone.
        let _ = self.undone.subscribe().wait_for(|undone| *undone == 0).await;
    }

    /// Stops what drives runs, and waits until it holds nothing any more.
    pub(crate) async fn stop_drivers(&self) {
        self.stop_drivers.cancel();
        self.drivers.close();
        self.drivers.wait().await;
    }
}

impl Undone {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|undone| *undone += 1);
        Self(count.clone())
    }
}

impl Drop for Undone {
    fn drop(&mut self) {
        self.0.send_modify(|undone| *undone -= 1);
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let stopped = self.stopped.get_mut().unwrap_or_else(PoisonError::into_inner);
        // What is pending takes its time, and is told.
        let _ = stopped.recv();
        if stopped.recv_timeout(PATIENCE).is_err() {
            let left = remaining::names(Some(self.worker.submitter));
            tracing::warn!(
                "gave up after {PATIENCE:?} on what was still being removed; left behind: {left}"
            );
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}
