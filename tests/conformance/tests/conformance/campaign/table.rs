//! The result table of a campaign.

use std::collections::BTreeMap;

use crate::campaign::remains::{Remains, Tally};

/// A row of the table.
#[derive(Debug)]
struct Row {
    rounds: usize,
    counts: Vec<usize>,
    tallies: Vec<Tally>,
}

/// Rounds by kind: the number per outcome, and what remained at each time.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    outcomes: Vec<&'static str>,
    times: Vec<&'static str>,
    rows: BTreeMap<String, Row>,
    problems: Vec<String>,
}

impl Table {
    pub(crate) fn new(title: String, outcomes: &[&'static str], times: &[&'static str]) -> Self {
        let (outcomes, times) = (outcomes.to_vec(), times.to_vec());
        Self { title, outcomes, times, rows: BTreeMap::new(), problems: Vec::new() }
    }

    /// Counts a round: the index of its outcome, and what remained at each time.
    pub(crate) fn add(&mut self, kind: &str, outcome: usize, remains: &[Remains]) {
        let new = || Row {
            rounds: 0,
            counts: vec![0; self.outcomes.len()],
            tallies: self.times.iter().map(|_| Tally::default()).collect(),
        };
        let row = self.rows.entry(kind.to_owned()).or_insert_with(new);
        row.rounds += 1;
        row.counts[outcome] += 1;
        row.tallies.iter_mut().zip(remains).for_each(|(tally, remains)| tally.add(remains));
    }

    /// Adds violated expectations.
    pub(crate) fn add_problems(&mut self, problems: impl IntoIterator<Item = String>) {
        self.problems.extend(problems);
    }

    /// Prints the table.
    ///
    /// # Panics
    ///
    /// Panics if an expectation was violated.
    pub(crate) fn finish(self) {
        let line = |cells: &[String]| eprintln!("| {} |", cells.join(" | "));
        let head = ["kind", "rounds"].iter().chain(&self.outcomes).chain(&self.times);
        eprintln!("\n{}", self.title);
        line(&head.clone().map(|&cell| cell.to_owned()).collect::<Vec<_>>());
        line(&head.map(|_| "---".to_owned()).collect::<Vec<_>>());
        for (kind, Row { rounds, counts, tallies }) in self.rows {
            let mut cells = vec![kind, rounds.to_string()];
            cells.extend(counts.iter().map(usize::to_string));
            cells.extend(tallies.iter().map(Tally::to_string));
            line(&cells);
        }
        assert!(self.problems.is_empty(), "{}", self.problems.join("\n"));
    }
}
