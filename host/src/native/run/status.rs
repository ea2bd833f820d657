//! The progress of a run, in steps.

/// The step that a run has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The submitter puts what the run needs into the stage.
    Staging,
    /// The runner runs this attempt, counted from 1.
    Running(u32),
    /// The run has ended, with a value or a failure.
    Ended,
}
