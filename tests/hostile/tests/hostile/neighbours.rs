//! Hostile guests slow a good guest hardly more than as many busy ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conformance::subprocess::run_in_subprocess;
use futures::future::try_join_all;
use hostile::Staged;
use hostile::attack::runtime;
use hostile::attacks::neighbours::{FULL, Neighbour, busy, full_tmp, good, hostile, listings};
use hype_run::{CancellationToken, Executor, GuestOutput, Prepared};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The allowed ratio of the good guest's times: beside hostile and beside busy guests.
const MAX_RATIO: f64 = 1.5;

/// The number of measurements of each attack, of which one must be good enough: the machine may be busy with something
/// else.
const TRIES: usize = 4;

/// The number of neighbours.
const NEIGHBOURS: usize = 8;

/// The maximum number of calls of the good guest in a measurement, and the minimum, which is independent of the time.
const CALLS: RangeInclusive<usize> = 5..=15;

/// The maximum time until all neighbours are ready. If they take longer, they slow each other.
const MAX_START: Duration = Duration::from_secs(20);

/// The time after which a measurement ends.
const LONG: Duration = Duration::from_secs(2);

/// Runs in a separate process, since it measures the load of all guests of the process.
#[test]
fn hostile_guests_slow_others_hardly_more_than_busy_ones() {
    let name = "neighbours::hostile_guests_slow_others_hardly_more_than_busy_ones";
    run_in_subprocess(name, measure);
}

fn measure() {
    let executor = Arc::new(Executor::pooled(16));
    let attacks = [
        ("full /tmp", vec![full_tmp(); NEIGHBOURS]),
        ("listings", vec![listings(); NEIGHBOURS]),
        ("different attacks", hostile()),
    ];
    let busy = vec![busy(); NEIGHBOURS];
    let (begun, mut slow) = (Instant::now(), Vec::new());
    for (name, hostile) in &attacks {
        let ratio = || {
            let beside =
                |neighbours| mean(&runtime().block_on(times_beside(&executor, neighbours)));
            let (busy, hostile) = (beside(&busy), beside(hostile));
            eprintln!("{name}: {hostile:?}, beside busy guests {busy:?}, {:?}", begun.elapsed());
            hostile.as_secs_f64() / busy.as_secs_f64()
        };
        let ratios: Vec<f64> =
            (0..TRIES).map(|_| ratio()).take_while(|it| *it > MAX_RATIO).collect();
        if ratios.len() == TRIES {
            slow.push((name, ratios));
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}

fn mean(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>() / times.len() as u32
}

/// Returns the times of the good guest's calls while `neighbours` run.
async fn times_beside(executor: &Arc<Executor>, neighbours: &[Neighbour]) -> Vec<Duration> {
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    let mut start = |neighbour: &Neighbour| {
        let ready = Arc::new(Semaphore::new(0));
        let (executor, neighbour) = (Arc::clone(executor), neighbour.clone());
        running.spawn(keep_running(executor, neighbour, Arc::clone(&ready), stop.clone()));
        ready
    };
    // Guests that fill their `/tmp` do so before the others begin, which would slow them.
    let (filling, others): (Vec<_>, Vec<_>) = neighbours.iter().partition(|it| it.fills_tmp);
    for group in [filling, others] {
        let all: Vec<_> = group.into_iter().map(&mut start).collect();
        let ready = try_join_all(all.iter().map(|ready| ready.acquire()));
        if tokio::time::timeout(MAX_START, ready).await.is_err() {
            stop.cancel();
            running.join_all().await;
            return vec![MAX_START];
        }
    }
    let good = good();
    let mut staged = Staged::new(&good.component).await;
    staged.manifest.job.limits = good.limits;
    let request = staged.request(true).await;
    let (prepared, call) = Prepared::fetch(Arc::clone(executor), &request).await.unwrap();
    let mut times = Vec::new();
    let begun = Instant::now();
    while times.len() < *CALLS.start() || times.len() < *CALLS.end() && begun.elapsed() < LONG {
        let started = Instant::now();
        prepared.call(&call, &GuestOutput::new(|_, _| {})).await.value.unwrap();
        times.push(started.elapsed());
    }
    stop.cancel();
    running.join_all().await;
    times
}

/// Runs `neighbour` again and again until `stop` is cancelled. Reports when it is ready.
async fn keep_running(
    executor: Arc<Executor>,
    neighbour: Neighbour,
    ready: Arc<Semaphore>,
    stop: CancellationToken,
) {
    let fills_tmp = neighbour.fills_tmp;
    let mut staged = Staged::new(&neighbour.component).await;
    staged.manifest.job.limits = neighbour.limits;
    let mut request = staged.request(true).await;
    request.interrupt = stop.clone();
    while !stop.is_cancelled() {
        let full = Arc::clone(&ready);
        let output = GuestOutput::new(move |_, bytes| {
            if fills_tmp && bytes == FULL {
                full.add_permits(1);
            }
        });
        let (prepared, call) = Prepared::fetch(Arc::clone(&executor), &request).await.unwrap();
        if !fills_tmp {
            ready.add_permits(1);
        }
        prepared.call(&call, &output).await;
    }
}
