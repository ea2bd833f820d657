//! Maps the end of a `hype-run` process to the proof of its outcome, or to an error with a hint.

use std::time::Duration;

use hype_wire::TerminationLine;
use hype_wire::exit_status::{KILLED, NO_OUTCOME, STARTED_BEFORE, SUCCESS, WRONG_USAGE};

use super::Completion;
use super::lost::{lost, out_of_memory};
use crate::configuration::Key;
use crate::error::Error;

/// The end of a `hype-run` process.
///
/// ```
/// use hype::runner::{ProcessEnd, ProcessExit};
///
/// let mut exit = ProcessExit::of_status(137);
/// exit.is_out_of_memory = true;
/// let end = ProcessEnd::Exited(exit);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ProcessEnd {
    /// The process exited.
    Exited(ProcessExit),
    /// The container or machine of the process failed, and no exit status is known. The text completes the sentence
    /// "pod a-1 …": `was evicted`.
    Failed(String),
    /// A user or another program deleted the container of the process.
    Deleted,
    /// The server that runs the process was unreachable for this long.
    Unreachable(Duration),
    /// The process never started.
    NeverStarted(Error),
}

/// The exit of a `hype-run` process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProcessExit {
    /// The exit status; 128 plus the signal's number if a signal ended the process.
    pub status: i64,
    /// The termination line, which proves the outcome, if the backend reads such lines.
    pub line: Option<TerminationLine>,
    /// Whether the system's OOM killer ended the process or one of its children.
    pub is_out_of_memory: bool,
    /// The reason why the process was asked to stop, as a sentence: `pod a-1 was deleted by another client`.
    pub stopped_by: Option<String>,
    /// The running time, if known.
    pub ran_for: Option<Duration>,
    /// The backend's reason code for the exit, such as `Error`.
    pub reason: Option<String>,
}

impl ProcessExit {
    /// Returns an exit of which only the status is known.
    ///
    /// ```
    /// use hype::runner::ProcessExit;
    ///
    /// let exit = ProcessExit::of_status(128 + 15);
    /// assert!(exit.line.is_none() && exit.stopped_by.is_none());
    /// ```
    pub fn of_status(status: i64) -> Self {
        Self { status, ..Self::default() }
    }
}

/// The container or process that [`judge`](Self::judge) reports on: its names and hints for messages.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Subject<'a> {
    /// The run's ID.
    pub run_id: &'a str,
    /// The kind and name of the container or process: `pod a-1`.
    pub name: &'a str,
    /// The container image, if there is one.
    pub image: Option<&'a str>,
    /// The server that runs the process, with its address: `the Docker daemon at unix:///d`.
    pub server: &'a str,
    /// The memory limit of the container, as the user wrote it.
    pub memory: Option<&'a str>,
    /// The last lines of its output.
    pub last_lines: Vec<String>,
    /// Whether the process seals its outcome with the run's key, so that no termination line is needed.
    pub is_sealed: bool,
    /// The hints of the backend.
    pub advice: Advice,
}

/// The hints of a backend: what a user can do about each kind of end.
///
/// ```
/// use hype::runner::{ProcessEnd, ProcessExit, Subject};
///
/// let mut subject = Subject::process("hype-run-abcdefghij", "job 42");
/// subject.advice.killed = "raise the time limit of the queue";
/// let end = ProcessEnd::Exited(ProcessExit::of_status(137));
/// let error = subject.judge(end).unwrap_err();
/// assert!(error.report().contains("Hint: raise the time limit of the queue"));
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Advice {
    /// The hint for a process that could not write to the stage.
    pub stage: &'static str,
    /// The hint for a process that was killed from outside.
    pub killed: &'static str,
    /// The hint for a container that used up its memory limit.
    pub memory: &'static str,
    /// The owner of the memory that a container without a limit used up: `its node`.
    pub memory_owner: &'static str,
    /// The hint for a container without a limit that ran out of memory.
    pub no_memory_limit: &'static str,
    /// The hint for leftovers on an unreachable server.
    pub unreachable: &'static str,
}

impl Advice {
    /// The hints for processes of this machine.
    pub const OF_PROCESSES: Self = Self {
        stage: "it must reach the stage as this program does",
        killed: RETRY_HINT,
        memory: RETRY_HINT,
        memory_owner: "this machine",
        no_memory_limit: "run fewer closures concurrently, or bound them: RunEnvironment::with_memory",
        unreachable: RETRY_HINT,
    };
}

impl<'a> Subject<'a> {
    /// Returns the subject for a process of this machine. Messages call it `name`, for example `process 4711`.
    pub fn process(run_id: &'a str, name: &'a str) -> Self {
        Self {
            run_id,
            name,
            image: None,
            server: "this machine",
            memory: None,
            last_lines: Vec::new(),
            is_sealed: false,
            advice: Advice::OF_PROCESSES,
        }
    }
}

/// The hint for a failure that a retry may fix.
pub(crate) const RETRY_HINT: &str =
    "submit it again, or allow another attempt: RunEnvironment::with_retries";

impl Subject<'_> {
    /// Returns what proves the outcome after this `end`.
    ///
    /// # Errors
    ///
    /// The error of the run if it wrote no outcome: [`Lost`](crate::ErrorKind::Lost), or
    /// [`Failed`](crate::ErrorKind::Failed) if its memory limit ended it.
    ///
    /// ```
    /// use hype::runner::{ProcessEnd, ProcessExit, Subject};
    ///
    /// let subject = Subject::process("hype-run-abcdefghij", "process 4711");
    /// let end = ProcessEnd::Exited(ProcessExit::of_status(137));
    /// let error = subject.judge(end).unwrap_err();
    /// assert!(error.is_lost());
    /// assert!(error.report().contains("process 4711 was killed (status 137)"));
    /// ```
    pub fn judge(&self, end: ProcessEnd) -> Result<Completion, Error> {
        let Self { name, server, .. } = self;
        match end {
            ProcessEnd::Exited(exit) => self.exited(exit),
            ProcessEnd::Failed(failure) => Err(self.lost(format!("{name} {failure}"), RETRY_HINT)),
            ProcessEnd::Deleted => Err(self.lost(
                format!("{name} was deleted by another client"),
                "don't delete what has labels com.spotify.hype, or allow another attempt: \
                 RunEnvironment::with_retries",
            )),
            ProcessEnd::Unreachable(after) => Err(self.lost(
                format!("{server} was unreachable for {after:?} while {name} was running"),
                self.advice.unreachable,
            )),
            ProcessEnd::NeverStarted(error) => Err(error),
        }
    }

    fn exited(&self, exit: ProcessExit) -> Result<Completion, Error> {
        let ProcessExit { status, line, stopped_by, .. } = &exit;
        // The process reports an outcome, so other circumstances don't matter.
        match (status, line, stopped_by) {
            (0, Some(line), Some(why)) => Ok(Completion::Interrupted(line.clone(), why.clone())),
            (0, Some(line), None) => Ok(Completion::Line(line.clone())),
            (0, None, _) if self.is_sealed => Ok(Completion::Sealed),
            _ if exit.is_out_of_memory => Err(self.out_of_memory(&exit)),
            (_, _, Some(why)) => {
                Err(self.lost(format!("{why}, and it wrote no outcome"), RETRY_HINT))
            }
            _ => Err(self.without_outcome(&exit)),
        }
    }

    fn without_outcome(&self, exit: &ProcessExit) -> Error {
        let (name, status) = (self.name, exit.status);
        let hype_run = match self.image {
            Some(image) => format!("hype-run of the image {image}"),
            None => "hype-run".to_owned(),
        };
        match u8::try_from(status) {
            Ok(SUCCESS) => self.about_image(self.lost(
                format!("{name} succeeded, but wrote no outcome"),
                "the image's entrypoint must be hype-run of this version, and nothing else",
            )),
            Ok(WRONG_USAGE) => self.about_image(self.lost(
                format!("{hype_run} was started wrongly (status 2)"),
                "it must be of this version, which the tags of spotify/hype name",
            )),
            Ok(NO_OUTCOME) => self.lost(
                format!("{name} could not write its outcome (status 3)"),
                self.advice.stage,
            ),
            Ok(STARTED_BEFORE) => self.lost(
                format!(
                    "{name} was started a second time, which runs nothing, and its first start wrote \
                     no outcome (status 4)"
                ),
                RETRY_HINT,
            ),
            Ok(KILLED) => self.lost(format!("{name} was killed (status 137)"), self.advice.killed),
            _ => {
                let reason = exit.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
                self.lost(
                    format!("{name} ended with status {status}{reason}"),
                    format!("check that it was {hype_run}: an image must start nothing else"),
                )
            }
        }
    }

    fn about_image(&self, error: Error) -> Error {
        match self.image {
            Some(image) => error.concerning_value(Key::Image, image),
            None => error,
        }
    }

    /// Returns the error of a container that ran out of memory, of which the closure's memory is a part.
    fn out_of_memory(&self, exit: &ProcessExit) -> Error {
        let Self { name, memory, last_lines, advice, .. } = self;
        let after = exit.ran_for.map_or_else(String::new, |ran_for| format!(" after {ran_for:?}"));
        let (cause, hint) = match memory {
            Some(limit) => (format!("it used up its memory limit of {limit}"), advice.memory),
            None => (
                format!("{} ran out of memory, and it has no limit", advice.memory_owner),
                advice.no_memory_limit,
            ),
        };
        out_of_memory(format!("{name} was OOM-killed{after}: {cause}"), last_lines).hint(hint)
    }

    fn lost(&self, reason: String, hint: impl Into<String>) -> Error {
        lost(self.run_id, reason, &self.last_lines).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use hype_wire::Digest;

    use super::*;

    const ADVICE: Advice = Advice {
        stage: "look at with_stage_secret",
        killed: "check for docker kill",
        memory: "raise it by with_limit",
        memory_owner: "its node",
        no_memory_limit: "request it by with_request",
        unreachable: "cargo hype gc removes what is left",
    };

    fn subject() -> Subject<'static> {
        Subject {
            run_id: "hype-run-a",
            name: "pod hype-run-a-1",
            image: Some("a/b:1"),
            server: "the API server at https://c/",
            memory: Some("64Mi"),
            last_lines: Vec::new(),
            is_sealed: false,
            advice: ADVICE,
        }
    }

    fn termination_line() -> TerminationLine {
        TerminationLine { outcome: "gs://b/runs/r/outcome".into(), digest: Digest::of(b"outcome") }
    }

    fn exited(exit: ProcessExit) -> ProcessEnd {
        ProcessEnd::Exited(exit)
    }

    #[test]
    fn run_that_exits_successfully_is_complete() {
        let well = ProcessExit { line: Some(termination_line()), ..ProcessExit::of_status(0) };
        // A killed child process doesn't invalidate the outcome.
        let with_killed_child = ProcessExit { is_out_of_memory: true, ..well.clone() };
        for exit in [well.clone(), with_killed_child] {
            assert_eq!(
                subject().judge(exited(exit)).unwrap(),
                Completion::Line(termination_line())
            );
        }
        let why = "pod hype-run-a-1 was preempted".to_owned();
        let stopped = ProcessExit { stopped_by: Some(why.clone()), ..well };
        let stopped = subject().judge(exited(stopped)).unwrap();
        assert_eq!(stopped, Completion::Interrupted(termination_line(), why));
        let sealed = Subject { is_sealed: true, ..subject() };
        let stopped_daemon =
            ProcessExit { stopped_by: Some("the daemon stopped".into()), ..Default::default() };
        for exit in [ProcessExit::of_status(0), stopped_daemon] {
            assert_eq!(sealed.judge(exited(exit)).unwrap(), Completion::Sealed);
        }
    }

    #[test]
    fn each_end_without_outcome_has_its_own_message() {
        let status = |status| exited(ProcessExit::of_status(status));
        let reason = ProcessExit { reason: Some("Error".into()), ..ProcessExit::of_status(101) };
        let stopped = ProcessExit {
            stopped_by: Some("pod hype-run-a-1 was deleted by another client".into()),
            ..ProcessExit::of_status(137)
        };
        let ends = [
            (status(0), "pod hype-run-a-1 succeeded, but wrote no outcome", "entrypoint"),
            (status(2), "hype-run of the image a/b:1 was started wrongly", "tags of spotify/hype"),
            (status(3), "could not write its outcome (status 3)", "with_stage_secret"),
            (status(4), "was started a second time, which runs nothing", "with_retries"),
            (status(137), "was killed (status 137)", "check for docker kill"),
            (
                exited(reason),
                "ended with status 101 (Error)",
                "check that it was hype-run of the image a/b:1",
            ),
            (
                exited(stopped),
                "pod hype-run-a-1 was deleted by another client, and it wrote no",
                "with_retries",
            ),
            (ProcessEnd::Failed("was evicted".into()), "pod hype-run-a-1 was evicted", "retries"),
            (ProcessEnd::Deleted, "pod hype-run-a-1 was deleted by another client", "labels"),
            (
                ProcessEnd::Unreachable(Duration::from_secs(300)),
                "the API server at https://c/ was unreachable for 300s while pod hype-run-a-1 was running",
                "cargo hype gc",
            ),
        ];
        for (end, reason, hint) in ends {
            let error = subject().judge(end).unwrap_err();
            assert!(error.is_lost() && error.is_infrastructure(), "{error:?}");
            let report = error.report();
            let (message, hint_line) = report.split_once("\nHint: ").unwrap();
            assert!(message.contains(reason) && hint_line.contains(hint), "{report}");
        }
    }

    #[test]
    fn oom_kill_is_a_failure_of_the_closure() {
        let killed = ProcessExit {
            is_out_of_memory: true,
            ran_for: Some(Duration::from_secs(12)),
            ..ProcessExit::of_status(137)
        };
        let limited = Subject { last_lines: vec!["loading".into()], ..subject() };
        let error = limited.judge(exited(killed.clone())).unwrap_err();
        assert!(error.is_out_of_memory() && !error.is_infrastructure() && !error.is_lost());
        assert_eq!(error.exit_code(), 1);
        let report = error.report();
        let expected = "pod hype-run-a-1 was OOM-killed after 12s: it used up its memory limit of 64Mi\n\
                    Caused by:\n   0: its last lines:\n      loading\nHint: raise it by with_limit";
        assert!(report.starts_with(expected), "{report}");
        let unlimited = Subject { memory: None, ..subject() };
        let report = unlimited.judge(exited(killed)).unwrap_err().report();
        assert!(report.contains("its node ran out of memory") && report.contains("with_request"));
    }

    #[test]
    fn error_of_a_lost_run_has_its_last_log_lines() {
        let last_lines = vec!["error: no outcome".into(), "  caused by: x".into()];
        let subject = Subject { last_lines, ..subject() };
        let report = subject.judge(exited(ProcessExit::of_status(3))).unwrap_err().report();
        let expected =
            "   1: its last lines:\n      error: no outcome\n        caused by: x\nHint:";
        assert!(report.contains(expected), "{report}");
    }
}
