//! A simulated clock, which only the calls of its guest advance.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// The start time: the beginning of the year 2000, in nanoseconds since 1970.
const START: u64 = 946_684_800_000_000_000;

/// The time by which each reading advances the clock, in nanoseconds.
const STEP: u64 = 1_000;

/// The clock of one guest, for both of WASI's clocks. Clones share their time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    now: u64,
    wait: Wait,
}

/// The current wait of the guest.
#[derive(Debug, Clone, Copy)]
struct Wait {
    /// The number of different pollables that the guest waits for.
    pollables: usize,
    /// The number of timers among them that were polled.
    timers: usize,
    /// The earliest end of these timers.
    earliest: u64,
}

/// The state of a timer that the guest waits for, after all its pollables were polled and none was ready.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TimerState {
    /// The timer has ended. If it was the earliest, the clock has jumped to its end.
    Ended,
    /// Another timer ends first.
    Waiting,
    /// The guest also waits for something outside of it, so that the timer takes this much real time.
    RealTime(Duration),
}

impl Default for State {
    fn default() -> Self {
        Self { now: START, wait: Wait::for_pollables(1) }
    }
}

impl Wait {
    fn for_pollables(pollables: usize) -> Self {
        Self { pollables, timers: 0, earliest: u64::MAX }
    }
}

impl Clock {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Advances the clock by one step and returns the time, in nanoseconds.
    pub(super) fn read(&self) -> u64 {
        let mut state = self.lock();
        state.now = state.now.saturating_add(STEP);
        state.now
    }

    /// Starts a wait for one of `pollables` pollables.
    pub(super) fn start_wait(&self, pollables: usize) {
        self.lock().wait = Wait::for_pollables(pollables);
    }

    /// Adds a timer that ends at `at` to the current wait. Returns whether it has ended.
    pub(super) fn poll_timer(&self, at: u64) -> bool {
        let now = self.read();
        let wait = &mut self.lock().wait;
        wait.timers += 1;
        wait.earliest = wait.earliest.min(at);
        at <= now
    }

    /// Returns the state of the timer that ends at `at`. All timers of the wait must have been polled.
    pub(super) fn timer_state(&self, at: u64) -> TimerState {
        let mut state = self.lock();
        let State { now, wait } = *state;
        if at <= now {
            TimerState::Ended
        } else if wait.timers < wait.pollables {
            TimerState::RealTime(Duration::from_nanos(at - now))
        } else if at <= wait.earliest {
            state.now = at;
            TimerState::Ended
        } else {
            TimerState::Waiting
        }
    }

    /// Advances the clock to `at`, unless it is already later.
    pub(super) fn advance_to(&self, at: u64) {
        let mut state = self.lock();
        state.now = state.now.max(at);
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(STEP)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.read())
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        STEP
    }

    fn now(&self) -> u64 {
        self.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    #[test]
    fn each_reading_advances_both_clocks() {
        let clock = Clock::default();
        assert_eq!(HostWallClock::now(&clock), Duration::from_nanos(START + STEP));
        assert_eq!(HostMonotonicClock::now(&clock), START + 2 * STEP);
    }

    #[test]
    fn clock_jumps_to_the_earliest_timer() {
        let clock = Clock::default();
        clock.start_wait(2);
        let (late, soon) = (START + 2 * HOUR, START + HOUR);
        assert!(!clock.poll_timer(late) && !clock.poll_timer(soon));
        assert_eq!(clock.timer_state(late), TimerState::Waiting);
        assert_eq!(clock.timer_state(soon), TimerState::Ended);
        assert_eq!(clock.read(), soon + STEP);
        // A new wait forgets the timers of the previous one.
        clock.start_wait(1);
        assert!(clock.poll_timer(soon));
        clock.start_wait(1);
        assert!(!clock.poll_timer(late));
        assert_eq!(clock.timer_state(late), TimerState::Ended);
    }

    #[test]
    fn timer_beside_another_pollable_takes_real_time() {
        let clock = Clock::default();
        clock.start_wait(2);
        assert!(!clock.poll_timer(START + HOUR + STEP));
        let whole = Duration::from_nanos(HOUR);
        assert_eq!(clock.timer_state(START + HOUR + STEP), TimerState::RealTime(whole));
        clock.advance_to(START + HOUR);
        assert_eq!(clock.read(), START + HOUR + STEP);
    }

    #[test]
    fn clock_stops_at_its_maximum() {
        let clock = Clock::default();
        clock.start_wait(1);
        assert!(!clock.poll_timer(u64::MAX));
        assert_eq!(clock.timer_state(u64::MAX), TimerState::Ended);
        assert_eq!(clock.read(), u64::MAX);
    }
}
