//! The turns of the workers of a map: how many of them run items at once.
//!
//! Items that compute run one for each core: more would only wait for each other, each in a process of its own. Items that
//! wait for something outside run beside others, so that the cores are used.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::map::recent_mean::RecentMean;

/// Items that take less are short: they have no time to wait, and starting another worker takes longer.
const SHORT: Duration = Duration::from_millis(1);

/// The minimum time after which a worker gives its turn to another one.
const PATIENCE: Duration = Duration::from_millis(10);

/// The time after which a worker gives its turn away before any item has ended.
const FIRST_PATIENCE: Duration = Duration::from_millis(25);

/// The part of the cores that the items use if each of them computes.
const SATURATED: f64 = 0.9;

/// Gives workers their turns.
#[derive(Debug)]
pub(super) struct Turns {
    state: Mutex<State>,
    /// Notified when a worker can have a turn.
    free: Notify,
}

/// The turn of a worker: it may run items.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Turns);

#[derive(Debug)]
struct State {
    cores: usize,
    /// The number of workers.
    workers: usize,
    /// The maximum number of turns, at least one for each core.
    limit: usize,
    /// The number of turns.
    turns: usize,
    /// The number of workers that run items, with a turn or without.
    running: usize,
    /// The mean time of an item, in seconds.
    mean_time: RecentMean,
    /// The mean number of workers that ran items when one ended.
    mean_running: RecentMean,
}

impl Turns {
    pub(super) fn new(cores: usize, workers: usize) -> Self {
        Self { state: Mutex::new(State::new(cores, workers)), free: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn.
    pub(super) async fn next(&self) -> Turn<'_> {
        loop {
            if self.lock().begin() {
                let turn = Turn(self);
                self.notify();
                return turn;
            }
            self.free.notified().await;
        }
    }

    /// Counts a worker that runs `items` items. Returns the time after which it gives its turn away.
    fn begin_items(&self, items: usize) -> (Running<'_>, Duration) {
        let mut state = self.lock();
        state.running += 1;
        (Running(self), state.patience(items))
    }

    /// Records the time that an item took its worker, and its processor time.
    pub(super) fn record(&self, took: Duration, processor: Duration) {
        self.lock().record(took, processor);
        self.notify();
    }

    /// Wakes one waiting worker if a turn is free. Each worker that gets a turn wakes the next one in the same way.
    fn notify(&self) {
        if self.lock().is_free() {
            self.free.notify_one();
        }
    }
}

impl Turn<'_> {
    /// Runs `items` items to their end. Gives the turn to another worker if that takes long.
    pub(super) async fn run<T>(self, items: usize, work: impl Future<Output = T>) -> T {
        let (_running, patience) = self.0.begin_items(items);
        let mut work = pin!(work);
        if let Ok(output) = tokio::time::timeout(patience, &mut work).await {
            return output;
        }
        drop(self);
        work.await
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().turns -= 1;
        self.0.notify();
    }
}

/// Counts a worker as running until it is dropped.
struct Running<'a>(&'a Turns);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}

impl State {
    fn new(cores: usize, workers: usize) -> Self {
        let cores = cores.min(workers);
        let (mean_time, mean_running) = Default::default();
        Self { cores, workers, limit: cores, turns: 0, running: 0, mean_time, mean_running }
    }

    fn is_free(&self) -> bool {
        self.turns < self.limit
    }

    /// Takes a turn if one is free.
    fn begin(&mut self) -> bool {
        let is_free = self.is_free();
        self.turns += usize::from(is_free);
        is_free
    }

    /// Returns the time after which the worker of `items` items gives its turn to another one.
    fn patience(&self, items: usize) -> Duration {
        let Some(mean) = self.mean_time.get() else { return FIRST_PATIENCE };
        Duration::try_from_secs_f64(2.0 * mean * items as f64)
            .unwrap_or(Duration::MAX)
            .max(PATIENCE)
    }

    /// Adapts the number of turns to an item that has ended.
    fn record(&mut self, took: Duration, processor: Duration) {
        let running = self.running.max(self.cores) as f64;
        self.mean_time.record(took.as_secs_f64());
        self.mean_running.record(running);
        // When many items end one after the other, more ran beside this one than now.
        let beside = self.mean_running.get().map_or(running, |mean| mean.max(running));
        let available = self.cores as f64 / beside;
        let is_saturated = processor.as_secs_f64() >= SATURATED * available * took.as_secs_f64();
        self.limit = match is_saturated || took < SHORT {
            true => self.limit.saturating_sub(1).max(self.cores),
            false => (self.limit + 1).min(self.workers),
        };
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join;

    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Returns the limit after 100 items, which take these times if each has a core. `limit` is the limit before.
    fn limit_after_items(limit: usize, waits: Duration, computes: Duration) -> usize {
        let mut state = state(limit);
        for _ in 0..100 {
            state.running = state.limit;
            let shared = computes * state.running.max(2) as u32 / 2;
            state.record(shared.max(waits + computes), computes);
        }
        state.limit
    }

    fn state(limit: usize) -> State {
        State { limit, ..State::new(2, 16) }
    }

    #[test]
    fn items_that_compute_run_one_for_each_core() {
        for limit in [2, 3, 16] {
            assert_eq!(limit_after_items(limit, ms(0), ms(50)), 2);
        }
    }

    #[test]
    fn items_that_wait_run_in_all_workers() {
        for limit in [2, 16] {
            assert_eq!(limit_after_items(limit, ms(50), ms(1)), 16);
        }
    }

    #[test]
    fn items_that_wait_and_compute_use_the_cores() {
        for limit in [2, 16] {
            // 10 items would use the two cores completely.
            let turns = limit_after_items(limit, ms(40), ms(10));
            assert!((8..=10).contains(&turns), "{turns}");
        }
    }

    #[test]
    fn short_items_run_one_for_each_core() {
        assert_eq!(limit_after_items(16, Duration::from_micros(20), Duration::from_micros(1)), 2);
    }

    #[test]
    fn items_that_compute_and_end_together_run_one_for_each_core() {
        let mut state = state(2);
        for running in (13..=16).rev() {
            state.running = running;
            state.record(ms(50 * 16 / 2), ms(50));
        }
        assert_eq!(state.limit, 2);
    }

    #[test]
    fn items_beside_one_that_waits_long_run_one_for_each_core() {
        let mut state = state(2);
        state.running = 3;
        (0..100).for_each(|_| state.record(ms(50), ms(50)));
        assert_eq!(state.limit, 2);
    }

    #[test]
    fn patience_follows_the_time_of_the_items() {
        let mut state = state(2);
        assert_eq!(state.patience(1), FIRST_PATIENCE);
        state.record(ms(50), ms(50));
        assert_eq!(state.patience(1), ms(100));
        assert_eq!(state.patience(3), ms(300));
    }

    #[tokio::test]
    async fn worker_gives_its_turn_away_while_its_item_waits() {
        let turns = Turns::new(1, 2);
        let (first, other_has_begun) = (turns.next().await, Notify::new());
        join(first.run(1, other_has_begun.notified()), async {
            let _second = turns.next().await;
            other_has_begun.notify_one();
        })
        .await;
        let state = turns.lock();
        assert_eq!((state.turns, state.running), (0, 0));
    }

    #[tokio::test]
    async fn worker_that_no_longer_waits_leaves_its_turn_to_others() {
        let turns = Turns::new(1, 3);
        let first = turns.next().await;
        let dropped = tokio::time::timeout(ms(1), turns.next()).await;
        assert!(dropped.is_err());
        drop(first);
        turns.next().await;
    }
}
