//! Marks in the log and in the termination message of a runner's container.

/// The prefix of lines of the guest's standard error, in a log that combines both outputs (U+2063,
/// which is invisible).
pub const ERROR_MARK: &str = "\u{2063}";

/// The line after the termination line if the guest wrote no output, so that no log has to be read.
pub const SILENT: &str = "silent";

/// The line after the termination line if the attempt had been started before, so that this container
/// ran nothing. The guest's output is in the log of the first container, or in the stage.
pub const STARTED_AGAIN: &str = "started-again";
