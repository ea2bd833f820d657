//! The background thread of a submitter. It drives the submitter's runs and removes their leftovers.

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
use crate::error::{Error, Result};

/// The time that the drop of a submitter waits for unfinished removals.
pub(crate) const REMOVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A thread with a runtime. Dropping it waits for pending work, stops the runs, and waits for the removals.
pub(crate) struct Background {
    worker: Worker,
    stop: watch::Sender<bool>,
    /// Receives one message when no work is pending any more, and a second one when everything is removed.
    stopped: Mutex<mpsc::Receiver<()>>,
}

/// A handle that runs work on the thread.
#[derive(Clone)]
pub(crate) struct Worker {
    /// The process that has the thread. A fork of it has only this handle.
    process: u32,
    handle: Handle,
    /// The tasks that drive runs.
    drivers: TaskTracker,
    /// Cancelled to stop the drivers.
    stop_drivers: CancellationToken,
    removals: TaskTracker,
    /// The number of unfinished removals.
    unfinished: watch::Sender<usize>,
    pub(crate) submitter: SubmitterId,
}

/// Counts a removal as unfinished until this guard is dropped.
struct UnfinishedGuard(watch::Sender<usize>);

impl Background {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let worker = Worker {
            process: std::process::id(),
            handle: runtime.handle().clone(),
            drivers: TaskTracker::new(),
            stop_drivers: CancellationToken::new(),
            removals: TaskTracker::new(),
            unfinished: watch::Sender::new(0),
            submitter: SubmitterId::new(),
        };
        let (stop, mut stopping) = watch::channel(false);
        let (stopped_sender, stopped) = mpsc::channel();
        let thread_worker = worker.clone();
        std::thread::Builder::new().name("hype-background".into()).spawn(move || {
            runtime.block_on(async {
                // An error means that the submitter is gone, which has the same effect.
                let _ = stopping.wait_for(|stop| *stop).await;
                pending::wait_for_all(Some(thread_worker.submitter)).await;
                // The receiver may be gone.
                let _ = stopped_sender.send(());
                thread_worker.stop_drivers().await;
                thread_worker.removals.close();
                thread_worker.removals.wait().await;
            });
            drop(runtime);
            // The receiver may be gone.
            let _ = stopped_sender.send(());
        })?;
        Ok(Self { worker, stop, stopped: Mutex::new(stopped) })
    }

    /// Runs `future` on the thread until it ends or the submitter is dropped. Drops it in a fork of the process.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let Worker { handle, drivers, stop_drivers, .. } = &self.worker;
        if self.worker.is_forked() {
            drop(future);
            return drivers.spawn_on(std::future::ready(()), handle).abort_handle();
        }
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
    /// Returns whether this process is a fork of the one that has the thread. What was created there isn't removed here.
    pub(crate) fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if this process is a fork of the one that has the thread.
    pub(crate) fn check_process(&self) -> Result<()> {
        if !self.is_forked() {
            return Ok(());
        }
        let problem = format!(
            "this submitter belongs to process {}, which has forked this one",
            self.process
        );
        Err(Error::input(problem).hint("create a submitter in each process"))
    }

    /// Runs a removal on the thread.
    pub(crate) fn remove<T: Send + 'static>(
        &self,
        removal: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let guard = UnfinishedGuard::new(&self.unfinished);
        let removal = async move {
            let _guard = guard;
            removal.await
        };
        self.removals.spawn_on(removal, &self.handle)
    }

    /// Runs `work` on the thread. The end of the submitter waits for it without a timeout, unless the program receives
    /// a signal to end. `what` completes the message "waiting ..".
    pub(crate) fn finish(&self, what: String, work: impl Future<Output = ()> + Send + 'static) {
        let pending = Pending::begin(self.submitter, what);
        let work = async move {
            let _pending = pending;
            tokio::select! {
                () = work => {}
                () = pending::cancelled() => {}
            }
        };
        drop(self.removals.spawn_on(work, &self.handle));
    }

    /// Waits until no work is pending, and logs what it waits for.
    pub(crate) async fn wait_for_pending(&self) {
        pending::wait_for_all(Some(self.submitter)).await;
    }

    /// Waits until all removals are finished.
    pub(crate) async fn wait_for_removals(&self) {
        // An error would mean that this worker is gone.
        let _ = self.unfinished.subscribe().wait_for(|unfinished| *unfinished == 0).await;
    }

    /// Stops the tasks that drive runs, and waits until they have dropped everything that they hold.
    pub(crate) async fn stop_drivers(&self) {
        self.stop_drivers.cancel();
        self.drivers.close();
        self.drivers.wait().await;
    }
}

impl UnfinishedGuard {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|unfinished| *unfinished += 1);
        Self(count.clone())
    }
}

impl Drop for UnfinishedGuard {
    fn drop(&mut self) {
        self.0.send_modify(|unfinished| *unfinished -= 1);
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let stopped = self.stopped.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Pending work has no timeout; the thread logs what it waits for.
        let _ = stopped.recv();
        if stopped.recv_timeout(REMOVAL_TIMEOUT).is_err() {
            let left = remaining::names(Some(self.worker.submitter));
            tracing::warn!(
                "gave up after {REMOVAL_TIMEOUT:?} on what was still being removed; left behind: {left}"
            );
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}
