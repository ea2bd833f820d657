//! How far a run is.

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// What it needs is being put into the stage.
    Staging,
    /// The runner has it; which attempt it is, counted from 1.
    Running(u32),
    /// It came to an end, whatever that is.
    Ended,
}
