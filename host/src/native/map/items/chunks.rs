//! The queue as a runner uses it that gives chunks of items to workers or processes.

use tokio::sync::mpsc::UnboundedReceiver;

#[cfg(feature = "docker")]
use super::Unfinished;
use super::{Item, Items, Waiting};

impl Items {
    /// Returns the maximum number of items that a worker takes at once; `None` if the runner decides.
    pub(crate) fn batch(&self) -> Option<usize> {
        self.0.options.batch
    }

    /// Waits until more than `number` items have not ended. Returns false if that can't happen any more.
    #[cfg(feature = "docker")]
    pub(crate) async fn exceed(&self, number: usize) -> bool {
        let mut unfinished = self.0.unfinished.subscribe();
        let is_known = |it: &Unfinished| it.items > number || it.is_complete;
        // The sender is in `self`.
        unfinished.wait_for(is_known).await.is_ok_and(|it| it.items > number)
    }

    /// Waits until all items have ended, and there will be no more.
    #[cfg(feature = "docker")]
    pub(crate) async fn all_ended(&self) {
        let mut unfinished = self.0.unfinished.subscribe();
        // The sender is in `self`.
        let _ = unfinished.wait_for(|it| it.items == 0 && it.is_complete).await;
    }

    /// Waits for items and returns some of them, at least one. `size` returns the maximum number of items, of those that
    /// wait now, and of the size of their arguments. Returns none when there will be no more items.
    pub(crate) async fn next_chunk(&self, size: impl Fn(usize) -> ChunkSize) -> Vec<Item> {
        let mut queue = self.0.queue.lock().await;
        let Some(first) = queue.recv().await else { return Vec::new() };
        let size = size(queue.len() + 1);
        let mut chunk = vec![self.taken(first)];
        self.fill(&mut queue, &mut chunk, &size);
        chunk
    }

    /// Returns some of the items that wait now, like [`next_chunk`](Self::next_chunk), or none.
    #[cfg(feature = "docker")]
    pub(crate) fn waiting_chunk(&self, size: impl Fn(usize) -> ChunkSize) -> Vec<Item> {
        let mut chunk = Vec::new();
        // The task that has the lock waits for an item, so that there is none, or takes items at this moment.
        if let Ok(mut queue) = self.0.queue.try_lock() {
            let size = size(queue.len());
            self.fill(&mut queue, &mut chunk, &size);
        }
        chunk
    }

    fn fill(
        &self,
        queue: &mut UnboundedReceiver<Waiting>,
        chunk: &mut Vec<Item>,
        size: &ChunkSize,
    ) {
        let mut bytes: usize = chunk.iter().map(|item| item.call.arguments.len()).sum();
        while chunk.len() < size.items
            && bytes < size.bytes
            && let Ok(call) = queue.try_recv()
        {
            bytes += call.arguments.len();
            chunk.push(self.taken(call));
        }
    }
}

/// The maximum size of a chunk. The arguments of its last item may exceed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkSize {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

#[cfg(feature = "docker")]
impl Item {
    /// Reports that the item waits for a worker again.
    pub(crate) fn wait_again(&mut self) {
        self.call.trace.wait_again();
    }
}
