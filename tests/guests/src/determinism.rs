//! What differs between two runs, unless they are to be alike.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::{Duration, Instant, SystemTime, SystemTimeError};

use serde::{Deserialize, Serialize};

/// What a function sees of chance and time.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// A random number.
    pub number: u64,
    /// Ten words in an order that chance makes.
    pub words: Vec<String>,
    /// The time since 1970.
    pub time: Duration,
    /// How long all of that took.
    pub took: Duration,
}

/// Looks at chance and time.
#[hype::function]
pub fn look() -> Result<Seen, SystemTimeError> {
    let start = Instant::now();
    let words: HashSet<String> = (0..10).map(|number| number.to_string()).collect();
    Ok(Seen {
        number: RandomState::new().hash_one("one"),
        words: words.into_iter().collect(),
        time: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?,
        took: start.elapsed(),
    })
}

/// When a file that it writes was changed, as the file says.
#[hype::function]
pub fn written() -> io::Result<SystemTime> {
    std::fs::write("/tmp/a", "a")?;
    std::fs::metadata("/tmp/a")?.modified()
}

/// Looks at the clock until this time is over, and says how often that was.
#[hype::function]
pub fn look_for(time: Duration) -> u64 {
    let start = Instant::now();
    let mut looks = 0;
    while start.elapsed() < time {
        looks += 1;
    }
    looks
}

/// Sleeps, and says for how long, by both clocks.
#[hype::function]
pub fn sleep_for(time: Duration) -> Result<[Duration; 2], SystemTimeError> {
    let (start, wall) = (Instant::now(), SystemTime::now());
    std::thread::sleep(time);
    Ok([start.elapsed(), wall.elapsed()?])
}

/// Waits for the first of these times to be over, and says which those are.
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
    // SAFETY: there are as many timers as is said, and room for as many events, of which as many are
    // there as are told.
    unsafe {
        let over = wasi::poll_oneoff(timers.as_ptr(), events.as_mut_ptr(), timers.len())
            .map_err(|error| io::Error::from_raw_os_error(error.raw().into()))?;
        events.set_len(over);
    }
    Ok(events.iter().map(|event| event.userdata).collect())
}

/// Natively there is nobody to ask.
#[cfg(not(target_family = "wasm"))]
#[hype::function]
pub fn wait_for_one(times: Vec<Duration>) -> io::Result<Vec<u64>> {
    Err(io::Error::other(format!("{} timers only run in a closure", times.len())))
}
