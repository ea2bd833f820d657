//! Descriptions of the processes of runs, whoever started them.

use crate::error::Error;

/// The processes of runs that a runner found, and the locations that it could not search.
///
/// ```
/// use hype::runner::FoundProcesses;
///
/// let mut found = FoundProcesses::from(Vec::new());
/// found.add_failure("kubernetes:team-b", hype::Error::runner("cannot list pods in team-b", "forbidden"));
/// assert_eq!(found.failures[0].run_location, "kubernetes:team-b");
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct FoundProcesses {
    /// The processes.
    pub processes: Vec<ProcessInfo>,
    /// The locations that could not be searched, and that may have further processes.
    pub failures: Vec<SearchFailure>,
}

/// A location that a runner could not search for processes.
#[derive(Debug)]
#[non_exhaustive]
pub struct SearchFailure {
    /// The location, as a manifest records it: `kubernetes:team-b`.
    pub run_location: String,
    /// The error, whose message names the location.
    pub error: Error,
}

impl FoundProcesses {
    /// Adds a location that could not be searched.
    pub fn add_failure(&mut self, run_location: impl Into<String>, error: Error) {
        self.failures.push(SearchFailure { run_location: run_location.into(), error });
    }
}

impl From<Vec<ProcessInfo>> for FoundProcesses {
    /// Returns the processes of a complete search.
    fn from(processes: Vec<ProcessInfo>) -> Self {
        Self { processes, failures: Vec::new() }
    }
}

/// A process of a run, such as a container or a Pod.
///
/// ```
/// use hype::runner::{ProcessInfo, ProcessPhase};
///
/// let process = ProcessInfo::new("hype-run-tizxijbai4", 1, "job 17", ProcessPhase::Running);
/// assert_eq!((process.attempt, process.node), (1, None));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// The run's ID.
    pub run_id: String,
    /// The number of the attempt, counted from 1.
    pub attempt: u32,
    /// The process, as a phrase for messages: `container hype-run-tizxijbai4-1`.
    pub name: String,
    /// The function's name; empty if it is unknown.
    pub function: String,
    /// The component's name; empty if it is unknown.
    pub component: String,
    /// The phase.
    pub phase: ProcessPhase,
    /// The machine or node that the process is on, once it is known.
    pub node: Option<String>,
    /// The latest events of the backend about the process, the oldest first. Only the description of one run has them.
    pub events: Vec<String>,
}

impl ProcessInfo {
    /// Describes the process called `name` of an attempt at a run.
    pub fn new(
        run_id: impl Into<String>,
        attempt: u32,
        name: impl Into<String>,
        phase: ProcessPhase,
    ) -> Self {
        Self {
            run_id: run_id.into(),
            attempt,
            name: name.into(),
            function: String::new(),
            component: String::new(),
            phase,
            node: None,
            events: Vec::new(),
        }
    }

    /// Returns the number of the attempt that the name `RUN-ATTEMPT` of a process ends with, or 1.
    #[cfg(any(feature = "docker", feature = "kubernetes"))]
    pub(crate) fn attempt_of(name: &str) -> u32 {
        name.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(1)
    }
}

/// The phase of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessPhase {
    /// The process has not started, for this reason.
    Pending(String),
    /// The process is running.
    Running,
    /// The process has ended, as this text describes: `exited with status 3`.
    Ended(String),
}

/// The part of a log that [`Runner::copy_log`](super::Runner::copy_log) copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogMode {
    /// The output that exists now.
    Existing,
    /// All output, until the process ends.
    Follow,
}
