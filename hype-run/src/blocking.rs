//! Runs work that blocks a thread.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs `work` on this thread. Moves other tasks of the thread to another one, if the runtime has several threads.
pub(crate) fn without_delaying_others<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // A single-threaded runtime has no thread to move tasks to, and outside of a runtime there are no tasks.
        _ => work(),
    }
}

/// Returns the state of `future` after it was polled once in a runtime whose only blocking thread is busy. A future that
/// needs another thread is pending.
#[cfg(test)]
pub(crate) fn poll_without_threads<F: Future>(future: F) -> std::task::Poll<F::Output> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let (end, busy) = std::sync::mpsc::channel::<()>();
    let state = runtime.block_on(async {
        // Fails when the sender is dropped.
        tokio::task::spawn_blocking(move || busy.recv());
        futures::poll!(std::pin::pin!(future))
    });
    drop(end);
    state
}
