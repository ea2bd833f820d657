//! What became of a run, as its program or whoever attached to it was told.

use crate::campaign::program::Ended;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Nobody was ever told a run's id, or there is no run of it.
    NeverBegan,
    Value,
    Failure,
    Lost,
    /// The killed program had the value, and didn't come to say so.
    Taken,
    /// Nobody attached to the run.
    NotAsked,
}

/// The end of a run as one process was told of it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) outcome: Outcome,
    /// The value, or the error's report.
    pub(crate) text: String,
}

impl Told {
    /// What the process said of the run's end, if it came to that.
    ///
    /// # Errors
    ///
    /// When that is an error of no kind that a run may end with.
    pub(crate) fn by(ended: &Ended) -> Result<Option<Self>, String> {
        let classes = [
            ("value", Outcome::Value),
            ("failure", Outcome::Failure),
            ("lost", Outcome::Lost),
            ("none", Outcome::NeverBegan),
        ];
        if let Some(error) = ended.word("error") {
            return Err(format!("an error of the infrastructure: {error}\n{}", ended.stderr));
        }
        let mut told = classes.iter().filter_map(|(word, outcome)| {
            Some(Self { outcome: *outcome, text: ended.word(word)?.to_owned() })
        });
        Ok(told.next())
    }

    /// Whether this is how the closure ended.
    pub(crate) fn is_of_closure(&self) -> bool {
        matches!(self.outcome, Outcome::Value | Outcome::Failure)
    }

    /// Whether it names the mark that the closure left.
    pub(crate) fn names(&self, mark: &str) -> bool {
        match self.outcome {
            Outcome::Value => self.text == mark,
            _ => self.text.contains(mark),
        }
    }
}
