//! The runs in this process, and how they are stopped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hype_run::CancellationToken;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Inner;
use crate::cleanup::list::CleanupList;
use crate::error::{Error, Result};

/// The time that an interrupted run has to end by itself. Then it has waited for the end of its worker processes, which
/// may write to volumes until then.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// The runs in this process, by their ID.
#[derive(Debug, Default)]
pub(super) struct AllRunning(Mutex<HashMap<String, Running>>);

/// A running closure, or the items of a map.
#[derive(Debug)]
struct Running {
    interrupt: CancellationToken,
    abort: AbortHandle,
    /// Closed when the run has ended for any reason.
    gone: watch::Receiver<()>,
}

/// Shows that a part of a run has not ended, until the last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Inside(
    #[expect(dead_code, reason = "dropping it closes the channel")] Arc<watch::Sender<()>>,
);

impl AllRunning {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Runs the future of `work` on the threads of closures until it ends or `cleanup` stops it, which cancels
    /// `interrupt`. Everything that `work` starts holds the [`Inside`] that it gets.
    pub(super) async fn start<T, F>(
        self: &Arc<Self>,
        run_id: &str,
        cleanup: &CleanupList,
        interrupt: CancellationToken,
        work: impl FnOnce(Inside) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (inside, gone) = watch::channel(());
        let inside = Inside(Arc::new(inside));
        let future = work(inside.clone());
        let task = self.threads.get()?.spawn(async move {
            let _inside = inside;
            future.await
        });
        let running = Running { interrupt: interrupt.clone(), abort: task.abort_handle(), gone };
        self.running.lock().insert(run_id.to_owned(), running);
        let (runner, id) = (Arc::clone(self), run_id.to_owned());
        cleanup.register("the closure in this process", async move {
            runner.stop(&id).await;
            Ok(())
        });
        let ended = task.await;
        self.running.lock().remove(run_id);
        if interrupt.is_cancelled() {
            return Err(Error::lost(run_id, "it was cancelled"));
        }
        ended.map_err(|error| Error::runner("the local runner broke down", error))?
    }

    /// Stops a run, if this runner runs it, and waits for its end.
    pub(super) async fn stop(&self, run_id: &str) {
        let Some(running) = self.running.lock().remove(run_id) else { return };
        let Running { interrupt, abort, mut gone } = running;
        interrupt.cancel();
        // The channel only closes: the error means that the run has ended.
        if tokio::time::timeout(STOP_TIMEOUT, gone.changed()).await.is_err() {
            abort.abort();
            let _ = gone.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::cleanup::background::Background;
    use crate::runner::LocalRunner;

    /// Stops `work` of a run. Returns the error of the run.
    async fn stop<F>(work: impl FnOnce(CancellationToken) -> F) -> Error
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let inner = LocalRunner::new().unwrap().0;
        let cleanup = CleanupList::of_submitter(&Background::start().unwrap());
        let interrupt = CancellationToken::new();
        let (work, (begun, begins)) = (work(interrupt.clone()), tokio::sync::oneshot::channel());
        let work = async move {
            let _ = begun.send(());
            work.await;
            Ok(())
        };
        let run = inner.start("run-1", &cleanup, interrupt, |_| work);
        let stop = async {
            begins.await.unwrap();
            inner.stop("run-1").await;
        };
        let (ended, ()) = tokio::join!(run, stop);
        ended.unwrap_err()
    }

    #[tokio::test]
    async fn stopped_run_ends_by_itself() {
        let has_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&has_ended);
        let error = stop(|interrupt| async move {
            interrupt.cancelled().await;
            // The work takes longer than the step in which it notices its interruption.
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
            ended.store(true, Ordering::Relaxed);
        });
        assert!(error.await.is_lost());
        assert!(has_ended.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn run_that_ignores_its_interruption_is_aborted() {
        assert!(stop(|_| std::future::pending()).await.is_lost());
    }
}
