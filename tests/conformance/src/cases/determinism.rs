//! Deterministic runs: a seed fixes random numbers and the clock.

use std::time::{Duration, SystemTime};

use hype::{RunEnvironment, Submitter};
use test_guests::determinism::{look, look_for, sleep_for, wait_for_one, written};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const MICROSECOND: Duration = Duration::from_micros(1);

fn seeded(seed: u64) -> RunEnvironment {
    // A wait in real time would exceed this timeout.
    RunEnvironment::new().deterministic(seed).with_timeout(MINUTE)
}

pub async fn runs_with_one_seed_are_equal(submitter: &Submitter) {
    let seen = submitter.submit(look(), &seeded(7)).await.unwrap();
    assert_eq!(submitter.submit(look(), &seeded(7)).await.unwrap(), seen);
    let other = submitter.submit(look(), &seeded(8)).await.unwrap();
    assert_ne!((other.number, &other.words), (seen.number, &seen.words));
    assert_eq!((other.time, other.took), (seen.time, seen.took));
    // The clock starts at 2000-01-01 and moves a microsecond per reading.
    let start = Duration::from_secs(946_684_800);
    assert!(seen.time > start && seen.time < start + 100 * MICROSECOND, "{seen:?}");

    let plain = RunEnvironment::new();
    let one = submitter.submit(look(), &plain).await.unwrap();
    let another = submitter.submit(look(), &plain).await.unwrap();
    assert_ne!(one.number, another.number);
    assert_ne!(one.time, another.time);
}

pub async fn seed_hides_file_times(submitter: &Submitter) {
    let epoch = SystemTime::UNIX_EPOCH;
    assert_eq!(submitter.submit(written(), &seeded(7)).await.unwrap(), epoch);
    assert_ne!(submitter.submit(written(), &RunEnvironment::new()).await.unwrap(), epoch);
}

pub async fn seeded_clock_advances_per_reading(submitter: &Submitter) {
    // Each reading takes a microsecond, and the last one finds that the time has passed.
    let looks = submitter.submit(look_for(1000 * MICROSECOND), &seeded(7)).await.unwrap();
    assert_eq!(looks, 999);
}

pub async fn seeded_sleep_returns_immediately(submitter: &Submitter) {
    for slept in submitter.submit(sleep_for(HOUR), &seeded(7)).await.unwrap() {
        assert!(slept >= HOUR && slept < HOUR + 100 * MICROSECOND, "{slept:?}");
    }
    let first = submitter.submit(wait_for_one(vec![2 * HOUR, HOUR, HOUR]), &seeded(7)).await;
    assert_eq!(first.unwrap(), [1]);
    let both = submitter.submit(wait_for_one(vec![Duration::ZERO, HOUR]), &seeded(7)).await;
    assert_eq!(both.unwrap(), [0]);
}
