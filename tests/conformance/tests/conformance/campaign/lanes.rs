//! Rounds, in lanes side by side.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::campaign::moments::Moments;
use crate::campaign::place::{Lane, Place, Site};

/// The variable that sets how many rounds a campaign has.
const ROUNDS: &str = "HYPE_CAMPAIGN_ROUNDS";

/// How long a program or an attacher may take that nothing disturbs.
pub(crate) const END: Duration = Duration::from_secs(120);

/// The kinds of runs.
pub(crate) const KINDS: [&str; 3] = ["detached", "volume", "plain"];

/// How many rounds: those that a variable sets, or `few`.
pub(crate) fn rounds(few: usize) -> usize {
    std::env::var(ROUNDS).map_or(few, |rounds| rounds.parse().unwrap())
}

/// Lets one campaign run at a time: each looks at all that there is.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long an undisturbed program of each kind takes on this runner; nothing of it stays.
pub(crate) fn durations(place: Place) -> [Duration; 3] {
    static MEASURED: Mutex<BTreeMap<Place, [Duration; 3]>> = Mutex::new(BTreeMap::new());
    let mut measured = MEASURED.lock().unwrap();
    *measured.entry(place).or_insert_with(|| {
        conformance::build_guests();
        let lane = Lane::new(place);
        // The first compiles the component, for all that follow.
        measure(&lane, KINDS[0]);
        KINDS.map(|kind| measure(&lane, kind))
    })
}

fn measure(lane: &Lane, kind: &str) -> Duration {
    let site = Site::new(lane);
    let program = site.submit(kind, 0, false);
    let ended = program.end_within(END).unwrap();
    assert!(ended.status.success(), "{ended:?}");
    if kind == "detached" {
        let run = ended.word("detached").unwrap_or_else(|| panic!("{ended:?}"));
        let attached = site.attach(run).end_within(END).unwrap();
        assert!(attached.word("value").is_some(), "{attached:?}: {ended:?}");
    } else {
        assert!(ended.word("value").is_some(), "{ended:?}");
    }
    let left = site.remains().without(&[]);
    assert!(left.is_empty(), "{kind}: {left:?}");
    ended.took
}

/// Runs so many rounds in the lanes of the runner, and returns what each gives, in their order.
pub(crate) fn run<R: Send>(
    place: Place,
    rounds: usize,
    moments: &Moments,
    round: impl Fn(&Lane, usize, Moments) -> R + Sync,
) -> Vec<R> {
    let (next, round) = (AtomicUsize::new(0), &round);
    let mut all: Vec<(usize, R)> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..place.lanes().min(rounds))
            .map(|_| {
                let next = &next;
                scope.spawn(move || {
                    let lane = Lane::new(place);
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
