//! Output of commands that print while they work, which end when the reader of their output has read enough.

use std::ops::ControlFlow;

use futures::future::{Either, select};
use futures::{Stream, StreamExt};

use crate::error::Result;
#[cfg(unix)]
use crate::print::wait_for_closed_stdout;

/// Passes each item of a stream to `print`, until that breaks or the reader of standard output closes it.
///
/// # Errors
///
/// The first error of `print`.
pub(crate) async fn print_each<T>(
    items: impl Stream<Item = T> + Unpin,
    print: impl FnMut(T) -> Result<ControlFlow<()>>,
) -> Result<()> {
    write_each(items, Box::pin(wait_until_closed()), print).await
}

/// Passes each item of a stream to `write`, until that breaks or `closed` ends.
///
/// # Errors
///
/// The first error of `write`.
pub(crate) async fn write_each<T>(
    mut items: impl Stream<Item = T> + Unpin,
    mut closed: impl Future<Output = ()> + Unpin,
    mut write: impl FnMut(T) -> Result<ControlFlow<()>>,
) -> Result<()> {
    loop {
        let item = match select(items.next(), &mut closed).await {
            Either::Left((item, _)) => item,
            Either::Right(((), _)) => None,
        };
        match item.map(&mut write).transpose()? {
            Some(ControlFlow::Continue(())) => {}
            Some(ControlFlow::Break(())) | None => return Ok(()),
        }
    }
}

/// Waits until the reader of standard output closes it. Never ends for a file.
#[cfg(unix)]
pub(crate) async fn wait_until_closed() {
    let (sender, receiver) = futures::channel::oneshot::channel();
    // The thread ends with this process.
    std::thread::spawn(move || {
        if wait_for_closed_stdout() {
            // The receiver may be gone.
            let _ = sender.send(());
        }
    });
    if receiver.await.is_err() {
        std::future::pending().await
    }
}

/// Never ends: the next write finds out that standard output is closed.
#[cfg(not(unix))]
pub(crate) async fn wait_until_closed() {
    std::future::pending().await
}
