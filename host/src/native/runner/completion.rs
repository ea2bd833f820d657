//! Proofs of outcomes.

use hype_wire::{Outcome, RunKey, TerminationLine};

use crate::run::{driven, keys};

/// The end of an attempt with an outcome, and what proves that outcome.
///
/// ```
/// use hype::runner::{Completion, TerminationLine};
///
/// /// Returns the result of a process that was asked to stop if there is a `reason`.
/// fn completion(line: TerminationLine, reason: Option<String>) -> Completion {
///     match reason {
///         Some(reason) => Completion::Interrupted(line, reason),
///         None => Completion::Line(line),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Completion {
    /// The termination line of the runner process, read from a channel that only this process can write to.
    Line(TerminationLine),
    /// The run's key: the runner process reports an outcome, which must be sealed with that key.
    Sealed,
    /// The termination line of a runner process that was asked to stop, and the reason. An outcome that reports an
    /// interruption gets this reason.
    Interrupted(TerminationLine, String),
    /// The outcome, of an attempt in this process that has no manifest [in the stage](super::Attempt::unstaged).
    Returned(Box<Outcome>),
}

/// The proof of an existing outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The run's key: the outcome must be sealed with it.
    Key(RunKey),
    /// The termination line of the runner process, which has the outcome's digest.
    Line(TerminationLine),
}

impl Proof {
    /// Returns the key of a run that a submitter of this process started; `None` for any other run.
    ///
    /// ```
    /// use hype::runner::Proof;
    ///
    /// assert_eq!(Proof::of_this_process("hype-run-of-another-process"), None);
    /// ```
    pub fn of_this_process(run_id: &str) -> Option<Self> {
        keys::find(run_id).map(Self::Key)
    }
}

/// Returns whether a submitter of this process drives the run.
///
/// A runner whose runs end with the program returns it from [`Runner::is_alive`](super::Runner::is_alive).
///
/// ```
/// assert!(!hype::runner::is_driven_here("hype-run-of-another-process"));
/// ```
pub fn is_driven_here(run_id: &str) -> bool {
    driven::find(run_id).is_some()
}
