//! The numbers of a map's results, and its summary.

use std::collections::BTreeMap;
use std::fmt::Display;

use hype::__internal::exit_status;

use super::outcome::Outcome;

/// The numbers of results of a map.
#[derive(Debug)]
pub struct Tally {
    /// The number of results that existed before.
    kept: u64,
    done: u64,
    /// The number of failed items of each kind, and the first of them.
    failures: BTreeMap<String, (u64, String)>,
    /// True once an item has failed because of its function, its arguments or the environment.
    has_own_failures: bool,
}

impl Tally {
    pub(super) fn new(kept: u64) -> Self {
        Self { kept, done: 0, failures: BTreeMap::new(), has_own_failures: false }
    }

    /// Adds an outcome. `place` is that of the item in the input, for messages.
    pub(super) fn add(&mut self, place: impl Display, outcome: &Outcome) {
        self.done += 1;
        if let Outcome::Failure { error, .. } = outcome {
            self.add_failure(place, error);
        }
    }

    fn add_failure(&mut self, place: impl Display, error: &hype::Error) {
        self.has_own_failures |= error.exit_code() != exit_status::MACHINERY;
        let first = || (0, format!("{place}: {error}"));
        self.failures.entry(kind(error)).or_insert_with(first).0 += 1;
    }

    fn failed(&self) -> u64 {
        self.failures.values().map(|(count, _)| count).sum()
    }

    /// Returns the exit status: 1 if an item failed, but 3 if only the infrastructure, the stage or the runner failed.
    pub fn exit_status(&self) -> u8 {
        match (self.failures.is_empty(), self.has_own_failures) {
            (true, _) => exit_status::SUCCESS,
            (false, true) => exit_status::FAILED,
            (false, false) => exit_status::MACHINERY,
        }
    }

    /// Returns the lines of the summary: the numbers, and the first failure of each kind.
    pub fn summary(&self) -> Vec<String> {
        let mut numbers = format!("{} done, {} failed", self.done, self.failed());
        if self.kept > 0 {
            numbers.push_str(&format!("; {} had a result before", self.kept));
        }
        let failures = self.failures.iter();
        let failures = failures.map(|(kind, (count, first))| format!("{count} {kind}: {first}"));
        std::iter::once(numbers).chain(failures).collect()
    }
}

/// Returns the kind of an error: that of its failure, or `input`, `stage`, `runner` or `lost`.
pub(super) fn kind(error: &hype::Error) -> String {
    match error.failure() {
        Some(failure) => failure.kind.to_string(),
        None => format!("{:?}", error.kind()).to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_has_the_first_failure_of_each_kind() {
        let mut tally = Tally::new(2);
        let fail = |error| Outcome::of_run(Err(error));
        assert_eq!(tally.exit_status(), 0);
        tally.add("item 9", &fail(hype::Error::lost("r-1", "the node is gone")));
        assert_eq!(tally.exit_status(), 3);
        for index in [4, 7] {
            tally.add(format!("item {index}"), &fail(hype::Error::input("there is no queue")));
        }
        assert_eq!(tally.exit_status(), 1);
        let value = hype::component::EncodedValue(vec![0xc0]);
        tally.add("item 5", &Outcome::of_run(Ok(value)));
        assert_eq!(
            tally.summary(),
            [
                "4 done, 3 failed; 2 had a result before",
                "2 input: item 4: there is no queue",
                "1 lost: item 9: run r-1 was lost",
            ]
        );
    }
}
