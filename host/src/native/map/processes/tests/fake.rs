//! Processes inside this one, whose items do what their arguments say.

use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use hype_wire::items::{
    AssignedItem, AttemptEnd, Frames, ItemChunk, ItemMessage, SentBytes, frame,
};
use hype_wire::{Failure, FailureKind, Statistics};

use crate::error::{Error, Result};
use crate::map::processes::{ItemProcess, ItemProcesses};
use crate::map::report::recorder::Recorder;

/// Items that return their arguments.
pub(super) const VALUE: &[u8] = b"value";
/// Items whose process is lost when it first runs them.
pub(super) const KILL_ONCE: &[u8] = b"kill once";
/// Items whose process is lost each time.
pub(super) const KILL: &[u8] = b"kill";
/// Items whose process is stopped when it first runs them.
pub(super) const STOP_ONCE: &[u8] = b"stop once";
/// Items that need more memory than the job has.
pub(super) const HOARD: &[u8] = b"hoard";
/// Items that write a line.
pub(super) const SAY: &[u8] = b"say";
/// Items that wait until the starts of the test are over.
pub(super) const WAIT: &[u8] = b"wait";
/// Items in whose place the process reports another one.
pub(super) const CONFUSE: &[u8] = b"confuse";

/// The processes of a test.
#[derive(Default)]
pub(super) struct Fake {
    /// The ends of the first starts; the later ones succeed.
    pub(super) starts: Mutex<VecDeque<Result<ItemMessage>>>,
    /// Notified by each start that isn't in `starts`, and by the last one that is.
    pub(super) starts_over: tokio::sync::Notify,
    /// The indexes of the items of each chunk, in the order in which the chunks were sent.
    pub(super) chunks: Mutex<Vec<Vec<u64>>>,
    /// The number of processes that will get no items.
    pub(super) deaf: AtomicU64,
    pub(super) started: AtomicU64,
    pub(super) ended: AtomicU64,
    pub(super) killed: Mutex<Vec<u64>>,
    /// The recorder of the running map.
    pub(super) recorder: Mutex<Recorder>,
}

impl Fake {
    /// Returns the numbers of processes that were started, and that ended by themselves.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.started.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed))
    }
}

pub(super) struct FakeProcess<'a> {
    all: &'a Fake,
    messages: VecDeque<ItemMessage>,
    items: VecDeque<AssignedItem>,
    /// Whether it gets no items.
    is_deaf: bool,
}

impl<'a> ItemProcesses for &'a Fake {
    type Process = FakeProcess<'a>;

    async fn start(&self) -> Result<FakeProcess<'a>> {
        self.started.fetch_add(1, Ordering::Relaxed);
        let mut starts = self.starts.lock().unwrap();
        let first = starts.pop_front();
        if starts.is_empty() {
            self.starts_over.notify_one();
        }
        let first = first.unwrap_or(Ok(ItemMessage::Ready))?;
        let one_less = |left: u64| left.checked_sub(1);
        let is_deaf =
            self.deaf.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        Ok(FakeProcess { all: self, messages: [first].into(), items: VecDeque::new(), is_deaf })
    }
}

impl ItemProcess for FakeProcess<'_> {
    async fn send(&mut self, chunk: &ItemChunk<SentBytes<'_>>) -> io::Result<()> {
        if self.is_deaf {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let indexes = chunk.items.iter().map(|item| item.index).collect();
        self.all.chunks.lock().unwrap().push(indexes);
        let mut frames = Frames::<ItemChunk>::default();
        frames.push(&frame(chunk).unwrap());
        self.items.extend(frames.next_message().unwrap().unwrap().items);
        Ok(())
    }

    async fn receive(&mut self) -> Result<ItemMessage> {
        // As if the process were another one, which runs at the same time.
        tokio::task::yield_now().await;
        if let Some(message) = self.messages.pop_front() {
            return Ok(message);
        }
        if self.is_deaf {
            // As if the reason of its end were requested from a daemon.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            return Err(Error::runner("the process was killed", "by a test"));
        }
        let Some(item) = self.items.pop_front() else { return std::future::pending().await };
        let AssignedItem { index, arguments, memory, .. } = item;
        let report = self.all.recorder.lock().unwrap().report();
        assert!(report.running.values().any(|running| running.item == index), "{index}");
        let value = AttemptEnd::Value(arguments.clone());
        let ended = |end| ItemMessage::Ended { index, end, statistics: Statistics::default() };
        if &*arguments == WAIT {
            self.all.starts_over.notified().await;
        }
        Ok(match &*arguments {
            KILL => return Err(Error::runner("the process was killed", "by a test")),
            KILL_ONCE if !self.all.killed.lock().unwrap().contains(&index) => {
                self.all.killed.lock().unwrap().push(index);
                return Err(Error::runner("the process was killed", "by a test"));
            }
            STOP_ONCE if !self.all.killed.lock().unwrap().contains(&index) => {
                self.all.killed.lock().unwrap().push(index);
                self.is_deaf = true;
                ended(AttemptEnd::Failure(Failure::new(FailureKind::Interrupted, "stopped")))
            }
            HOARD if memory.is_none() => {
                ended(AttemptEnd::Failure(Failure::new(FailureKind::Memory, "too much")))
            }
            SAY => {
                self.messages.push_back(ended(value));
                ItemMessage::Output { is_error: false, bytes: b"hello".to_vec().into() }
            }
            CONFUSE => ItemMessage::Ended {
                index: index + 1,
                end: value,
                statistics: Statistics::default(),
            },
            _ => ended(value),
        })
    }

    async fn end(self) {
        assert!(self.items.is_empty());
        self.all.ended.fetch_add(1, Ordering::Relaxed);
    }
}
