//! Both outputs of a guest in one log, as Kubernetes keeps one of a container.

/// What a line of the guest's standard error begins with in a log that has its standard output, too. A
/// person doesn't see it.
pub const ERROR_MARK: &str = "\u{2063}";

/// What follows the termination line of a guest that wrote to neither: there is no log to be read.
pub const SILENT: &str = "silent";

/// What follows the termination line of a start after the first, which ran nothing: what the guest wrote is in the log of
/// another container, or in the stage.
pub const STARTED_AGAIN: &str = "started-again";
