//! The items of a map that no process has.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::assigned::{Again, Assigned};
use crate::error::Error;
use crate::map::breakdown::Breakdown;
use crate::map::chunk_size::{Chunks, Load};
use crate::map::items::{Item, Items};
use crate::map::retry::Retries;
use crate::runner::Attempt;

/// The time that the items of a process take together, as far as it is known.
const TARGET: Duration = Duration::from_millis(100);

/// The items of a map that no process has, for all its workers.
#[derive(Debug)]
pub(super) struct Work {
    items: Items,
    processes: usize,
    retries: Retries,
    /// Whether an item whose process is lost must not run again.
    loses: bool,
    /// Whether a process of the map has prepared the job.
    has_started: AtomicBool,
    /// The number of processes that start or have not ended.
    live: AtomicUsize,
    breakdown: Breakdown,
    /// Items that run again, from a moment on.
    again: Mutex<Vec<(Instant, Assigned)>>,
    has_again: Notify,
}

impl Work {
    pub(super) fn new(items: Items, attempt: &Attempt, processes: usize) -> Self {
        let retries = Retries::new(items.retry_options(), &attempt.env);
        let (loses, has_started) = (retries.loses(), AtomicBool::new(false));
        let (again, has_again) = (Mutex::default(), Notify::new());
        let (live, breakdown) = (AtomicUsize::new(0), Breakdown::new(processes));
        Self { items, processes, retries, loses, has_started, live, breakdown, again, has_again }
    }

    /// Records that a process starts.
    pub(super) fn process_began(&self) {
        self.live.fetch_add(1, Ordering::Relaxed);
    }

    /// Records that a process takes no more items, or could not be started.
    pub(super) fn process_ended(&self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns whether a process takes items or starts.
    pub(super) fn has_process(&self) -> bool {
        self.live.load(Ordering::Relaxed) > 0
    }

    /// Waits until all items of the map have ended.
    pub(super) async fn all_ended(&self) {
        self.items.all_ended().await;
    }

    /// Records that a process has prepared the job.
    pub(super) fn mark_started(&self) {
        self.has_started.store(true, Ordering::Relaxed);
    }

    /// Returns whether a process has prepared the job.
    pub(super) fn has_started(&self) -> bool {
        self.has_started.load(Ordering::Relaxed)
    }

    /// Returns the record of the failures of the infrastructure.
    pub(super) fn breakdown(&self) -> &Breakdown {
        &self.breakdown
    }

    /// Returns the error of the map, if its infrastructure is broken. The items that have not ended have no ends then.
    pub(super) fn broken(&self) -> Option<Error> {
        let error = self.breakdown.error()?;
        self.items.cancel();
        Some(error)
    }

    /// Returns the chunks of a process.
    pub(super) fn chunks(&self) -> Chunks {
        // If a process is lost with one item, it is certain that no other item has run.
        let fixed = if self.loses { Some(1) } else { self.items.batch() };
        Chunks::new(self.processes, TARGET, fixed)
    }

    /// Waits until the worker with this number has something to do, with the workers before it busy. Returns false if that
    /// can't happen any more.
    pub(super) async fn is_needed(&self, number: usize) -> bool {
        self.items.exceed(number).await
    }

    /// Waits for items for a process without items. Returns none if all items have ended.
    pub(super) async fn next(&self, chunks: &Chunks) -> Vec<Assigned> {
        let mut has_more = true;
        loop {
            // Created before the look at the items, so that it misses none that is added meanwhile.
            let is_added = self.has_again.notified();
            let due = match self.take_due() {
                Ok(assigned) => return vec![assigned],
                Err(due) => due,
            };
            let is_due = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                chunk = self.items.next_chunk(|waiting| chunks.first(waiting)), if has_more => {
                    has_more = !chunk.is_empty();
                    if has_more {
                        return self.assigned(chunk);
                    }
                }
                () = is_added => {}
                () = is_due => {}
                () = self.items.all_ended() => return Vec::new(),
            }
        }
    }

    /// Returns further items for a process with items, or none.
    pub(super) fn further(&self, chunks: &Chunks, load: Load) -> Vec<Assigned> {
        let waiting = self.items.waiting_chunk(|waiting| chunks.next(load, waiting));
        let mut further = self.assigned(waiting);
        // While items wait, no process is without items. An item that runs again would wait for all of them.
        if !further.is_empty()
            && let Ok(assigned) = self.take_due()
        {
            further.insert(0, assigned);
        }
        further
    }

    /// Lets an item run again.
    pub(super) fn run_again(&self, Again { mut assigned, delay }: Again) {
        assigned.wait_again();
        self.lock().push((Instant::now() + delay, assigned));
        // All workers without items wait until it is due, since each of them may get another item before.
        self.has_again.notify_waiters();
    }

    /// Lets items run again that have not run.
    pub(super) fn give_back(&self, all: impl IntoIterator<Item = Assigned>) {
        for assigned in all {
            self.run_again(Again { assigned, delay: Duration::ZERO });
        }
    }

    /// Returns an item that is due to run again, or else the moment at which the next one is.
    fn take_due(&self) -> Result<Assigned, Option<Instant>> {
        let mut again = self.lock();
        let first = again.iter().enumerate().min_by_key(|(_, (due, _))| *due);
        match first.map(|(position, (due, _))| (position, *due)) {
            Some((position, due)) if due <= Instant::now() => Ok(again.swap_remove(position).1),
            first => Err(first.map(|(_, due)| due)),
        }
    }

    fn assigned(&self, items: Vec<Item>) -> Vec<Assigned> {
        items.into_iter().map(|item| Assigned::new(item, self.retries.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Assigned)>> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
