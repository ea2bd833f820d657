//! Work that blocks, off the threads that poll futures, whatever runtime those belong to.

use futures::channel::oneshot;
use tracing::{Dispatch, Span, dispatcher};

use crate::error::{Error, Result};

/// What `work` gives, done on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    // What it tells goes where the caller's own events go.
    let (span, subscriber) = (Span::current(), dispatcher::get_default(Dispatch::clone));
    let work = move || dispatcher::with_default(&subscriber, || span.in_scope(work));
    std::thread::Builder::new()
        .name("hype-blocking".into())
        .spawn(move || drop(sender.send(work())))
        .map_err(|error| Error::runner("cannot start a thread", error))?;
    receiver.await.map_err(|error| Error::runner("a thread of hype broke down", error))?
}
