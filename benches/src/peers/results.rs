//! The results of all rounds, and the statistics of them.

use std::collections::BTreeMap;

use crate::alternate::Times;

/// The seconds of one round of a system, by what was measured: `TASK WAY`, [`START`] and [`BARE`].
pub(super) type Seconds = BTreeMap<String, f64>;

/// The key of the time until the first results, with everything that the system starts.
pub(super) const START: &str = "start";

/// The key of the time of the CPU-bound tasks without overhead: one process of Python, or one item of a map, for each core.
pub(super) const BARE: &str = "spin bare";

/// A kind of task.
pub(super) struct Task {
    /// The name of the function.
    pub(super) function: &'static str,
    pub(super) number: usize,
    /// The name in tables.
    pub(super) title: &'static str,
}

/// All kinds of tasks.
pub(super) const TASKS: [Task; 3] = [
    Task { function: "greet", number: 10_000, title: "trivial tasks" },
    Task { function: "spin", number: 200, title: "CPU-bound tasks of 50 ms" },
    Task { function: "echo", number: 1_000, title: "tasks with 1 MB in and out" },
];

/// The form in which items become tasks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Each item is a task.
    Each,
    /// Many items are a task, as the documentation of the peer recommends for small ones.
    Batched,
}

/// Both ways.
pub(super) const WAYS: [Way; 2] = [Way::Each, Way::Batched];

/// A measured system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum System {
    Hype,
    /// A peer, by its position in the list of peers.
    Peer(usize),
}

/// The results of all rounds.
#[derive(Default)]
pub(super) struct Results {
    rounds: BTreeMap<System, Vec<Seconds>>,
    failures: BTreeMap<System, String>,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Each => "each",
            Self::Batched => "batched",
        }
    }
}

/// Returns the key of the seconds of `task`.
pub(super) fn key(task: &Task, way: Way) -> String {
    format!("{} {}", task.function, way.name())
}

impl Results {
    /// Adds a round of a system, or the reason why it can't be measured. Then it has no results, not even of earlier rounds.
    pub(super) fn add(&mut self, system: System, measured: Result<Seconds, String>) {
        match measured {
            Ok(seconds) => self.rounds.entry(system).or_default().push(seconds),
            Err(reason) => {
                self.rounds.remove(&system);
                self.failures.insert(system, reason);
            }
        }
    }

    pub(super) fn has_failed(&self, system: System) -> bool {
        self.failures.contains_key(&system)
    }

    /// Returns the reason why a system can't be measured, if it can't.
    pub(super) fn failure(&self, system: System) -> Option<&str> {
        self.failures.get(&system).map(String::as_str)
    }

    /// Returns the median number of tasks per second.
    pub(super) fn rate(&self, system: System, task: &Task, way: Way) -> Option<f64> {
        let key = key(task, way);
        self.median(system, |seconds| Some(task.number as f64 / seconds.get(&key)?))
    }

    /// Returns the median part of the cores that the CPU-bound tasks used: the time without overhead, divided by theirs.
    pub(super) fn efficiency(&self, system: System, way: Way) -> Option<f64> {
        let [_, spin, _] = TASKS;
        let key = key(&spin, way);
        self.median(system, |seconds| Some(seconds.get(BARE)? / seconds.get(&key)?))
    }

    /// Returns the median time until the first results, in seconds.
    pub(super) fn start(&self, system: System) -> Option<f64> {
        self.median(system, |seconds| seconds.get(START).copied())
    }

    fn median(&self, system: System, number: impl Fn(&Seconds) -> Option<f64>) -> Option<f64> {
        let numbers: Vec<f64> = self.rounds.get(&system)?.iter().filter_map(number).collect();
        (!numbers.is_empty()).then(|| Times::new(numbers).median())
    }
}
