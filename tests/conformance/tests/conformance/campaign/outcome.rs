//! Outcomes of runs, as reported by programs.

use crate::campaign::program::FinishedProgram;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// No program printed a run's id, or the run doesn't exist.
    NeverBegan,
    Value,
    Failure,
    Lost,
    /// The killed program had received the value, but was killed before it printed it.
    Consumed,
    /// No program attached to the run.
    NotAttached,
}

/// The end of a run as one process reported it.
#[derive(Debug, Clone)]
pub(crate) struct ReportedEnd {
    pub(crate) outcome: Outcome,
    /// The value, or the error's report.
    pub(crate) text: String,
}

impl ReportedEnd {
    /// Parses the process's report of the run's end; `None` if it printed none.
    ///
    /// # Errors
    ///
    /// If the process reported an error that no run may end with.
    pub(crate) fn parse(ended: &FinishedProgram) -> Result<Option<Self>, String> {
        let classes = [
            ("value", Outcome::Value),
            ("failure", Outcome::Failure),
            ("lost", Outcome::Lost),
            ("none", Outcome::NeverBegan),
        ];
        if let Some(error) = ended.field("error") {
            return Err(format!("an error of the infrastructure: {error}\n{}", ended.stderr));
        }
        let mut reports = classes.iter().filter_map(|(word, outcome)| {
            Some(Self { outcome: *outcome, text: ended.field(word)?.to_owned() })
        });
        Ok(reports.next())
    }

    /// Returns whether the closure itself ended like this.
    pub(crate) fn is_closure_end(&self) -> bool {
        matches!(self.outcome, Outcome::Value | Outcome::Failure)
    }

    /// Returns whether the report contains the mark that the closure left.
    pub(crate) fn contains_mark(&self, mark: &str) -> bool {
        match self.outcome {
            Outcome::Value => self.text == mark,
            _ => self.text.contains(mark),
        }
    }
}
