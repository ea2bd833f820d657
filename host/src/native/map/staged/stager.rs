//! The task that writes a staged map: segments as the input is read, chunks as their items end.

mod running;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::task::AtomicWaker;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use self::running::Owner;
use self::running::Running;
pub(crate) use super::writer::Writer;
use crate::error::{Error, Result};
use crate::map::staged::commits::NewResult;
use crate::map::staged::plan::{Chunk, NewItem, Planner};

/// The maximum size of the items and results that wait to be written, in bytes.
const MAX_PENDING: u64 = 64 << 20;

/// The map's side of a stager. Clones share one stager.
#[derive(Debug, Clone)]
pub(crate) struct Stager(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    events: UnboundedSender<Event>,
    /// The size of what waits to be written, in bytes.
    pending: AtomicU64,
    /// The index after the last item of the expected chunk.
    chunk_end: AtomicU64,
    /// The map, which waits for room or for an error.
    waker: AtomicWaker,
    failure: Mutex<Option<Error>>,
    detaches_on_drop: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Event {
    /// The next item of the input.
    Item(NewItem),
    /// The input has ended.
    InputEnded,
    /// A chunk of the plan whose items are about to run.
    Chunk(Chunk),
    /// The plan continues with new items.
    Continue(Box<Planner>),
    /// An item has ended.
    Ended(u64, Box<NewResult>),
    /// Write what there is, and answer when it is written.
    Flush(oneshot::Sender<()>),
    /// Mark the map as detached, so that it is kept.
    Detach(oneshot::Sender<Result<()>>),
}

/// The future side of a stager, which starts when the stage and the key are known.
#[derive(Debug)]
pub(crate) struct Unstarted {
    events: UnboundedReceiver<Event>,
    shared: Weak<Shared>,
    detaches_on_drop: Arc<AtomicBool>,
}

/// A stager that runs. Dropping it doesn't stop the stager.
#[derive(Debug)]
pub(crate) struct Started {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

/// Creates a stager.
pub(crate) fn channel() -> (Stager, Unstarted) {
    let (events, receiver) = unbounded_channel();
    let detaches_on_drop = Arc::new(AtomicBool::new(false));
    let shared = Arc::new(Shared {
        events,
        pending: AtomicU64::new(0),
        chunk_end: AtomicU64::new(0),
        waker: AtomicWaker::new(),
        failure: Mutex::default(),
        detaches_on_drop: Arc::clone(&detaches_on_drop),
    });
    let shared_with_task = Arc::downgrade(&shared);
    let unstarted = Unstarted { events: receiver, shared: shared_with_task, detaches_on_drop };
    (Stager(shared), unstarted)
}

impl Stager {
    /// Adds the next item to the plan.
    pub(crate) fn plan(&self, item: NewItem) {
        self.0.pending.fetch_add(item.size(), Ordering::Relaxed);
        self.send(Event::Item(item));
    }

    /// Ends the plan.
    pub(crate) fn end_plan(&self) {
        self.send(Event::InputEnded);
    }

    /// Commits a chunk of the plan when its items have ended.
    pub(crate) fn expect(&self, chunk: Chunk) {
        self.0.chunk_end.store(chunk.first + u64::from(chunk.items), Ordering::Relaxed);
        self.send(Event::Chunk(chunk));
    }

    /// Continues a plan that has no end.
    pub(crate) fn resume(&self, planner: Planner) {
        self.send(Event::Continue(Box::new(planner)));
    }

    /// Returns whether the item `index` is one of the expected chunk. Such an item must start even without room: the
    /// results of its chunk occupy their memory until all items of the chunk have ended.
    pub(crate) fn expects(&self, index: u64) -> bool {
        index < self.0.chunk_end.load(Ordering::Relaxed)
    }

    /// Adds the result of an item.
    pub(crate) fn end(&self, index: u64, result: NewResult) {
        self.0.pending.fetch_add(result.size(), Ordering::Relaxed);
        self.send(Event::Ended(index, Box::new(result)));
    }

    /// Returns the error that ended the stager, or whether another item may start. The map is woken when that changes.
    pub(crate) fn poll_room(&self, context: &mut Context<'_>) -> Result<bool> {
        self.0.waker.register(context.waker());
        let failure = self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failure {
            Some(error) => Err(error),
            None => Ok(self.0.pending.load(Ordering::Relaxed) < MAX_PENDING),
        }
    }

    /// Decides whether the map is detached when it is dropped, instead of being removed.
    pub(crate) fn detach_on_drop(&self, is_detached: bool) {
        self.0.detaches_on_drop.store(is_detached, Ordering::Relaxed);
    }

    /// Returns whether the map is detached when it is dropped.
    pub(crate) fn is_detached_on_drop(&self) -> bool {
        self.0.detaches_on_drop.load(Ordering::Relaxed)
    }

    /// Writes all items that were planned and all chunks that are complete. Ends without an error of its own, which
    /// [`poll_room`](Self::poll_room) returns.
    pub(crate) fn flush(&self) -> BoxFuture<'static, ()> {
        let (sender, written) = oneshot::channel();
        self.send(Event::Flush(sender));
        // An error means that the stager has ended.
        written.map(drop).boxed()
    }

    /// Writes like [`flush`](Self::flush), and lets the map remain in the stage when its run is dropped.
    ///
    /// # Errors
    ///
    /// The error of the first failed write.
    pub(crate) async fn detach(&self) -> Result<()> {
        self.flush().await;
        let (sender, detached) = oneshot::channel();
        self.send(Event::Detach(sender));
        if let Ok(result) = detached.await {
            return result;
        }
        let failure = self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(failure.unwrap_or_else(|| {
            Error::runner("the map cannot be detached", "it ended before it was staged")
        }))
    }

    /// Waits until everything is written.
    pub(crate) fn poll_flushed(
        &self,
        flush: &mut Option<BoxFuture<'static, ()>>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        flush.get_or_insert_with(|| self.flush()).poll_unpin(context)
    }

    fn send(&self, event: Event) {
        // An error means that the stager has ended, whose error `poll_room` returns.
        let _ = self.0.events.send(event);
    }
}

impl Started {
    /// Stops the stager, and waits until it writes nothing any more.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        // An error means that it panicked.
        let _ = self.task.await;
    }
}

impl Unstarted {
    /// Starts the stager. `planner` is the plan of a new map, whose run is the `owner`.
    pub(crate) fn start(
        self,
        writer: Writer,
        planner: Option<Planner>,
        owner: Option<Owner>,
    ) -> Started {
        let cancel = CancellationToken::new();
        if let Some(owner) = &owner {
            owner.objects.keep_while(Arc::clone(&self.detaches_on_drop));
        }
        let running = Running::new(writer, planner, owner);
        let task = tokio::spawn(self.run(running, cancel.clone()));
        Started { cancel, task }
    }

    async fn run(mut self, mut running: Running, cancel: CancellationToken) {
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => Ok(()),
            result = running.run(&mut self.events, &self.shared) => result,
        };
        let result = match result {
            Ok(()) if self.detaches_on_drop.load(Ordering::Relaxed) => {
                running.leave(&mut self.events).await
            }
            result => result,
        };
        let result = running.end(result).await;
        let Err(error) = result else { return };
        let Some(shared) = self.shared.upgrade() else {
            tracing::warn!("a map was not staged completely: {}", error.report());
            return;
        };
        *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        drop(self.events);
        shared.waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::task::noop_waker;
    use hype_wire::Digest;

    use super::*;

    #[test]
    fn items_of_an_expected_chunk_start_without_room() {
        let (stager, _unstarted) = channel();
        stager.expect(Chunk { segment: 0, number: 0, plan: Digest::of(b""), first: 0, items: 2 });
        let value = Bytes::from(vec![0; MAX_PENDING as usize]);
        let (statistics, times, output) = Default::default();
        stager.end(0, NewResult { end: Ok(value), attempts: 1, statistics, times, output });
        assert!(!stager.poll_room(&mut Context::from_waker(&noop_waker())).unwrap());
        assert!(stager.expects(1) && !stager.expects(2));
    }
}
