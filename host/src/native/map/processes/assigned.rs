//! An item with its attempts.

use hype_wire::items::{AssignedItem, SentBytes};
use hype_wire::{Failure, Statistics};

use crate::map::items::Item;
use crate::map::node::{Named, Node};
use crate::map::retry::{Next, Retries};
use crate::map::staged::output::OutputEnd;

/// An item that was taken from the queue of its map, until its end.
#[derive(Debug)]
pub(super) struct Assigned {
    item: Item,
    retries: Retries,
    attempts: u32,
    /// The memory limit of its next attempt, if it is not that of the job.
    memory: Option<u64>,
}

/// The step after a failed attempt at an item that has not ended.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) assigned: Assigned,
    pub(super) delay: std::time::Duration,
}

impl Assigned {
    pub(super) fn new(item: Item, retries: Retries) -> Self {
        Self { item, retries, attempts: 0, memory: None }
    }

    pub(super) fn index(&self) -> u64 {
        self.item.index()
    }

    pub(super) fn node(&self) -> Node {
        self.item.node()
    }

    /// Returns the size of the arguments, in bytes.
    pub(super) fn size(&self) -> usize {
        self.item.argument_bytes().len()
    }

    /// Returns where the end of the item's output is kept, if it is.
    pub(super) fn output(&self) -> Option<OutputEnd> {
        self.item.output()
    }

    /// Returns the message that assigns the item to a process.
    pub(super) fn message(&self) -> AssignedItem<SentBytes<'_>> {
        AssignedItem {
            index: self.item.index(),
            function: self.item.function().clone(),
            arguments: SentBytes(self.item.argument_bytes()),
            seed: self.item.seed(),
            memory: self.memory,
        }
    }

    /// Records that the process of a worker begins to run the item.
    pub(super) fn begin(&mut self, worker: u32) {
        self.item.begin(worker);
    }

    /// Reports the value.
    pub(super) fn finish(mut self, value: Vec<u8>, statistics: Statistics) {
        self.measure(Some(statistics));
        self.item.finish(Ok(value));
    }

    /// Reports the failure of an attempt that began, unless the item runs again.
    pub(super) fn fail(
        mut self,
        failure: Failure,
        statistics: Option<Statistics>,
    ) -> Option<Again> {
        self.measure(statistics);
        match self.retries.after(&failure) {
            Next::Retry { delay, memory } => {
                self.memory = memory.or(self.memory);
                let (item, message) = (Named(self.node()), failure.message);
                tracing::warn!("{item} failed, its next attempt follows in {delay:?}: {message}");
                return Some(Again { assigned: self, delay });
            }
            Next::Fail => self.item.finish(Err(failure)),
            Next::Lose => self.item.lose(&failure),
        }
        None
    }

    /// Records that the item waits for a process again.
    pub(super) fn wait_again(&mut self) {
        self.item.wait_again();
    }

    fn measure(&mut self, statistics: Option<Statistics>) {
        self.attempts += 1;
        self.item.measure(self.attempts, statistics);
    }
}
