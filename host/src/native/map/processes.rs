//! The items of a map whose runner starts processes of `hype-run items`, each of which runs many.
//!
//! - `assigned`: an item with its attempts.
//! - `work`: the items that no process has. `worker`: gives items to one process after another.

mod assigned;
mod work;
mod worker;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use futures::future::try_join_all;
use hype_wire::items::{ItemChunk, ItemMessage, SentBytes};

use self::work::Work;
use self::worker::Worker;
use crate::error::Result;
use crate::map::items::Items;
use crate::runner::Attempt;

/// Starts the processes that run the items of a map.
pub(crate) trait ItemProcesses: Send + Sync {
    type Process: ItemProcess;

    /// Starts a process.
    ///
    /// # Errors
    ///
    /// The reason why it can't be started.
    fn start(&self) -> impl Future<Output = Result<Self::Process>> + Send;
}

/// A process of `hype-run items`. Dropping it ends its channel, and so the process.
pub(crate) trait ItemProcess: Send {
    /// Sends items to the process.
    ///
    /// # Errors
    ///
    /// If it has not received all of the chunk, so that it runs none of its items. It then gets no more, and after the
    /// messages that it has sent before, [`receive`](Self::receive) returns an error.
    fn send(
        &mut self,
        chunk: &ItemChunk<SentBytes<'_>>,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Returns the next message of the process. Dropping the future loses no message.
    ///
    /// # Errors
    ///
    /// The reason why the process has ended, or why its channel is broken. It runs no items any more. If the future is
    /// dropped before it returns the reason, [`send`](Self::send) returns an error.
    fn receive(&mut self) -> impl Future<Output = Result<ItemMessage>> + Send;

    /// Ends the process, which runs no item.
    fn end(self) -> impl Future<Output = ()> + Send;
}

/// Runs `items` in up to `count` processes, each of which runs one item at a time. A process is started once there are
/// items for it.
///
/// # Errors
///
/// If the job can't be prepared, or no process can be started.
pub(crate) async fn run(
    processes: &impl ItemProcesses,
    count: usize,
    attempt: &Attempt,
    items: Items,
) -> Result<()> {
    let work = Arc::new(Work::new(items, attempt, count));
    let worker = |number| Worker { number, processes, work: Arc::clone(&work), attempt }.run();
    try_join_all((0..count).map(worker)).await?;
    Ok(())
}
