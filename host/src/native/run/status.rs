//! Status of a run.

/// The step that a run has reached.
///
/// ```
/// use hype::run::Status;
///
/// fn describe(status: Status) -> String {
///     match status {
///         Status::Staging => "uploading".to_owned(),
///         Status::Running(attempt) => format!("running attempt {attempt}"),
///         Status::Ended => "ended".to_owned(),
///         _ => "unknown".to_owned(),
///     }
/// }
/// assert_eq!(describe(Status::Running(2)), "running attempt 2");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The submitter uploads the component, arguments and files to the stage.
    Staging,
    /// The runner runs the attempt with this number, counted from 1.
    Running(u32),
    /// The run has ended, with a value or a failure.
    Ended,
}
