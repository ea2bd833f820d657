//! Random numbers and clocks: different in each run, except with a seed.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::{Duration, Instant, SystemTime, SystemTimeError};

use serde::{Deserialize, Serialize};

/// Randomness and time, as a function observes them.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// A random number.
    pub number: u64,
    /// Ten words in the iteration order of a hash set.
    pub words: Vec<String>,
    /// The time since 1970.
    pub time: Duration,
    /// The duration of the observation.
    pub took: Duration,
}

/// Reads randomness and clocks.
#[hype::function]
pub fn look() -> Result<Observation, SystemTimeError> {
    let start = Instant::now();
    let words: HashSet<String> = (0..10).map(|number| number.to_string()).collect();
    Ok(Observation {
        number: RandomState::new().hash_one("one"),
        words: words.into_iter().collect(),
        time: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?,
        took: start.elapsed(),
    })
}

/// Writes a file and returns its modification time.
#[hype::function]
pub fn written() -> io::Result<SystemTime> {
    std::fs::write("/tmp/a", "a")?;
    std::fs::metadata("/tmp/a")?.modified()
}

/// Reads the clock until `time` has passed. Returns the number of readings.
#[hype::function]
pub fn look_for(time: Duration) -> u64 {
    let start = Instant::now();
    let mut looks = 0;
    while start.elapsed() < time {
        looks += 1;
    }
    looks
}

/// Sleeps. Returns the duration by both clocks.
#[hype::function]
pub fn sleep_for(time: Duration) -> Result<[Duration; 2], SystemTimeError> {
    let (start, wall) = (Instant::now(), SystemTime::now());
    std::thread::sleep(time);
    Ok([start.elapsed(), wall.elapsed()?])
}

/// Waits until the first of these times has passed. Returns the indices of all timers that fired.
#[cfg(target_family = "wasm")]
#[hype::function]
pub fn wait_for_one(times: Vec<Duration>) -> io::Result<Vec<u64>> {
    let timer = |(index, time): (u64, &Duration)| wasi::Subscription {
        userdata: index,
        u: wasi::SubscriptionU {
            tag: wasi::EVENTTYPE_CLOCK.raw(),
            u: wasi::SubscriptionUU {
                clock: wasi::SubscriptionClock {
                    id: wasi::CLOCKID_MONOTONIC,
                    timeout: u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
                    precision: 0,
                    flags: 0,
                },
            },
        },
    };
    let timers: Vec<_> = (0..).zip(&times).map(timer).collect();
    let mut events: Vec<wasi::Event> = Vec::with_capacity(timers.len());
    // SAFETY: `timers` has as many elements as passed, `events` has capacity for as many, and the host initializes as
    // many as it returns.
    unsafe {
        let over = wasi::poll_oneoff(timers.as_ptr(), events.as_mut_ptr(), timers.len())
            .map_err(|error| io::Error::from_raw_os_error(error.raw().into()))?;
        events.set_len(over);
    }
    Ok(events.iter().map(|event| event.userdata).collect())
}

/// Returns an error, since natively there is no `poll_oneoff`.
#[cfg(not(target_family = "wasm"))]
#[hype::function]
pub fn wait_for_one(times: Vec<Duration>) -> io::Result<Vec<u64>> {
    Err(io::Error::other(format!("{} timers only run in a closure", times.len())))
}
