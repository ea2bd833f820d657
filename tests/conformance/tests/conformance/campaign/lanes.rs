//! Runs rounds in concurrent lanes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::campaign::moments::Moments;
use crate::campaign::site::{Lane, RunnerKind, Site};

/// The variable that sets the number of rounds.
const ROUNDS: &str = "HYPE_CAMPAIGN_ROUNDS";

/// The maximum duration of an undisturbed program or attacher.
pub(crate) const PROGRAM_TIMEOUT: Duration = Duration::from_secs(120);

/// The kinds of runs.
pub(crate) const KINDS: [&str; 3] = ["detached", "volume", "plain"];

/// Returns the number of rounds: the one that the variable sets, or `few`.
pub(crate) fn rounds(few: usize) -> usize {
    std::env::var(ROUNDS).map_or(few, |rounds| rounds.parse().unwrap())
}

/// Lets one campaign run at a time, since each inspects the whole daemon or machine.
pub(crate) fn lock_campaigns() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Measures how long an undisturbed program of each kind takes on this runner, and checks that nothing remains.
pub(crate) fn durations(runner: RunnerKind) -> [Duration; 3] {
    static MEASURED: Mutex<BTreeMap<RunnerKind, [Duration; 3]>> = Mutex::new(BTreeMap::new());
    let mut measured = MEASURED.lock().unwrap();
    *measured.entry(runner).or_insert_with(|| {
        conformance::build_guests();
        let lane = Lane::new(runner);
        // The first run compiles the component for all that follow.
        measure(&lane, KINDS[0]);
        KINDS.map(|kind| measure(&lane, kind))
    })
}

fn measure(lane: &Lane, kind: &str) -> Duration {
    let site = Site::new(lane);
    let program = site.submit(kind, 0, false);
    let ended = program.end_within(PROGRAM_TIMEOUT).unwrap();
    assert!(ended.status.success(), "{ended:?}");
    if kind == "detached" {
        let run = ended.field("detached").unwrap_or_else(|| panic!("{ended:?}"));
        let attached = site.attach(run).end_within(PROGRAM_TIMEOUT).unwrap();
        assert!(attached.field("value").is_some(), "{attached:?}: {ended:?}");
    } else {
        assert!(ended.field("value").is_some(), "{ended:?}");
    }
    let left = site.remains().without(&[]);
    assert!(left.is_empty(), "{kind}: {left:?}");
    ended.took
}

/// Runs the rounds in the lanes of the runner. Returns their results in order.
pub(crate) fn run<R: Send>(
    runner: RunnerKind,
    rounds: usize,
    moments: &Moments,
    round: impl Fn(&Lane, usize, Moments) -> R + Sync,
) -> Vec<R> {
    let (next, round) = (AtomicUsize::new(0), &round);
    let mut all: Vec<(usize, R)> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..runner.lanes().min(rounds))
            .map(|_| {
                let next = &next;
                scope.spawn(move || {
                    let lane = Lane::new(runner);
                    let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                    let numbers = numbers.take_while(|number| *number < rounds);
                    let run = |number| (number, round(&lane, number, moments.of_round(number)));
                    numbers.map(run).collect::<Vec<_>>()
                })
            })
            .collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
    });
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, result)| result).collect()
}
