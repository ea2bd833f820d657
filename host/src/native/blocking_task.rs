//! Blocking work on a separate thread, so that it doesn't block an executor. It works with any runtime.

use futures::channel::oneshot;
use tracing::{Dispatch, Span, dispatcher};

use crate::error::{Error, Result};

/// Runs `work` on a new thread and returns its result.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    spawn(move || drop(sender.send(work())))?;
    receiver.await.map_err(|error| Error::runner("a thread of hype panicked", error))?
}

/// Runs `work` on a new thread, blocks this one until it ends, and returns its result. It needs no executor, and works
/// inside any.
#[cfg(feature = "local")]
pub(crate) fn on_new_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn(work)?
        .join()
        .map_err(|_| Error::runner("cannot continue", "a thread of hype panicked"))?
}

/// Starts a thread whose events go to the subscriber of this one.
fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<std::thread::JoinHandle<T>> {
    let (span, subscriber) = (Span::current(), dispatcher::get_default(Dispatch::clone));
    let work = move || dispatcher::with_default(&subscriber, || span.in_scope(work));
    let builder = std::thread::Builder::new().name("hype-blocking".into());
    builder.spawn(work).map_err(|error| Error::runner("cannot start a thread", error))
}
