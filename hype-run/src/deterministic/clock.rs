//! A clock that moves by what its guest does, and by nothing else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// When it starts: the first moment of the year 2000, in nanoseconds since 1970.
const START: u64 = 946_684_800_000_000_000;

/// How far each look at it moves it, in nanoseconds.
const STEP: u64 = 1_000;

/// The clock of one guest; both of WASI's clocks are it. Clones are the same clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    now: u64,
    wait: Wait,
}

/// What the guest waits for at the moment.
#[derive(Debug, Clone, Copy)]
struct Wait {
    things: usize,
    timers: usize,
    earliest: u64,
}

/// What becomes of a timer that the guest waits for, once nothing else was ready.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is over, and the clock has jumped to it.
    Over,
    /// Another one is over before.
    Later,
    /// The guest waits for something from outside too, so that this one takes its time.
    Beside(Duration),
}

impl Default for State {
    fn default() -> Self {
        Self { now: START, wait: Wait::for_things(1) }
    }
}

impl Wait {
    fn for_things(things: usize) -> Self {
        Self { things, timers: 0, earliest: u64::MAX }
    }
}

impl Clock {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, in nanoseconds, which goes on by that.
    pub(super) fn read(&self) -> u64 {
        let mut state = self.lock();
        state.now = state.now.saturating_add(STEP);
        state.now
    }

    /// The guest begins to wait for one of so many things.
    pub(super) fn begin_wait(&self, things: usize) {
        self.lock().wait = Wait::for_things(things);
    }

    /// One of them is a timer that is over at `at`. Whether it is over now.
    pub(super) fn is_over(&self, at: u64) -> bool {
        let now = self.read();
        let wait = &mut self.lock().wait;
        wait.timers += 1;
        wait.earliest = wait.earliest.min(at);
        at <= now
    }

    /// What becomes of the timer that is over at `at`: all are known, and none was over.
    pub(super) fn turn(&self, at: u64) -> Turn {
        let mut state = self.lock();
        let State { now, wait } = *state;
        if at <= now {
            Turn::Over
        } else if wait.timers < wait.things {
            Turn::Beside(Duration::from_nanos(at - now))
        } else if at <= wait.earliest {
            state.now = at;
            Turn::Over
        } else {
            Turn::Later
        }
    }

    /// Time has passed up to `at`.
    pub(super) fn jump(&self, at: u64) {
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
    fn each_look_moves_it_and_both_clocks_are_one() {
        let clock = Clock::default();
        assert_eq!(HostWallClock::now(&clock), Duration::from_nanos(START + STEP));
        assert_eq!(HostMonotonicClock::now(&clock), START + 2 * STEP);
    }

    #[test]
    fn it_jumps_to_the_earliest_of_the_timers() {
        let clock = Clock::default();
        clock.begin_wait(2);
        let (late, soon) = (START + 2 * HOUR, START + HOUR);
        assert!(!clock.is_over(late) && !clock.is_over(soon));
        assert_eq!(clock.turn(late), Turn::Later);
        assert_eq!(clock.turn(soon), Turn::Over);
        assert_eq!(clock.read(), soon + STEP);
        // A wait of its own begins anew.
        clock.begin_wait(1);
        assert!(clock.is_over(soon));
        clock.begin_wait(1);
        assert!(!clock.is_over(late));
        assert_eq!(clock.turn(late), Turn::Over);
    }

    #[test]
    fn beside_something_else_a_timer_takes_its_time() {
        let clock = Clock::default();
        clock.begin_wait(2);
        assert!(!clock.is_over(START + HOUR + STEP));
        let whole = Duration::from_nanos(HOUR);
        assert_eq!(clock.turn(START + HOUR + STEP), Turn::Beside(whole));
        clock.jump(START + HOUR);
        assert_eq!(clock.read(), START + HOUR + STEP);
    }

    #[test]
    fn the_end_of_time_stays() {
        let clock = Clock::default();
        clock.begin_wait(1);
        assert!(!clock.is_over(u64::MAX));
        assert_eq!(clock.turn(u64::MAX), Turn::Over);
        assert_eq!(clock.read(), u64::MAX);
    }
}
