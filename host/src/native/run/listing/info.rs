//! The description of a run in a list.

use std::fmt;
use std::time::Duration;

use hype_wire::FailureKind;

/// A run, as programs other than its own know it.
///
/// ```
/// fn describe(run: &hype::run::RunInfo) -> String {
///     format!("{}: {} {} ({})", run.id, run.function, run.status, run.owner)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunInfo {
    /// The run's ID.
    pub id: String,
    /// The function's name; empty if it is unknown.
    pub function: String,
    /// The component's name; empty if it is unknown.
    pub component: String,
    /// The status.
    pub status: RunStatus,
    /// The location of the run, as a phrase: `in Kubernetes, namespace team`.
    pub location: String,
    /// The machine or node that the run is on, if it is known.
    pub node: Option<String>,
    /// The number of the latest attempt, counted from 1, if it is known.
    pub attempt: Option<u32>,
    /// The time since the run was staged, by the clock of the stage, if it is known.
    pub age: Option<Duration>,
    /// The owner.
    pub owner: RunOwner,
}

/// The status of a run.
///
/// ```
/// use hype::run::RunStatus;
///
/// assert_eq!(RunStatus::Pending("no node has a GPU".into()).to_string(), "pending: no node has a GPU");
/// assert!(RunStatus::Running.is_live() && !RunStatus::Succeeded.is_live());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunStatus {
    /// Its submitter uploads what it needs.
    Staging,
    /// It waits to run, for this reason.
    Pending(String),
    /// It runs.
    Running,
    /// It has ended with a value.
    Succeeded,
    /// It has ended with a failure of this kind.
    Failed(FailureKind),
    /// It will never have an outcome, for this reason.
    Lost(String),
    /// This program can't find out, for this reason.
    Unknown(String),
}

impl RunStatus {
    /// Returns whether the run may still write an outcome.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Staging | Self::Pending(_) | Self::Running | Self::Unknown(_))
    }

    /// Returns the status in one word, without its reason: `pending`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Pending(_) => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Lost(_) => "lost",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Returns the reason of the status, if it has one.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Pending(reason) | Self::Lost(reason) | Self::Unknown(reason) => {
                Some(reason.clone())
            }
            Self::Failed(kind) => Some(kind.to_string()),
            Self::Staging | Self::Running | Self::Succeeded => None,
        }
    }
}

/// Writes the status with its reason: `failed: panic`.
impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self.reason() {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// The owner of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunOwner {
    /// A program has the run's lease, and removes the run at its end.
    Live,
    /// The run is detached: it continues without its program, and is kept until a program attaches to it.
    Detached,
    /// None: its program has ended, and the run is an orphan.
    None,
    /// Unknown: the run is in another stage, or this program may not write to the stage, whose clock it needs to read.
    Unknown,
}

impl fmt::Display for RunOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Detached => "detached",
            Self::None => "none",
            Self::Unknown => "unknown",
        })
    }
}

/// The runs to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunScope {
    /// Runs that may still write an outcome.
    #[default]
    Live,
    /// All runs of the stage and of the runner. This lists the whole stage.
    All,
}
