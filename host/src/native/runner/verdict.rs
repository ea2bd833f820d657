//! From the end of a `hype-run` process to what vouches for its outcome, or an error that says what
//! happened and what to do next.

use std::time::Duration;

use hype_wire::TerminationLine;
use hype_wire::exit_status::{KILLED, NO_OUTCOME, STARTED_BEFORE, SUCCESS, WRONG_USAGE};

use super::Voucher;
use super::lost::{lost, out_of_memory};
use crate::error::Error;

/// The end of a `hype-run` process.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProcessEnd {
    /// The process exited.
    Exited(ProcessExit),
    /// What it ran in failed, and no exit is known. Completes the sentence "pod a-1 ..": `was evicted`.
    Failed(String),
    /// Somebody deleted what it ran in.
    Deleted,
    /// The server that runs it could not be reached for this long.
    Unreachable(Duration),
    /// It was never started, for this reason.
    NeverStarted(Error),
}

/// The exit of a `hype-run` process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProcessExit {
    /// The exit status; 128 and the signal's number if a signal ended it.
    pub status: i64,
    /// The line by which it vouches for its outcome, where the backend reads such lines.
    pub line: Option<TerminationLine>,
    /// Whether the system killed it, or something beside it, for want of memory.
    pub is_out_of_memory: bool,
    /// Why it was told to stop, if it was, as a sentence: `somebody deleted pod a-1`.
    pub stopped_by: Option<String>,
    /// How long it ran, if that is known.
    pub ran_for: Option<Duration>,
    /// The backend's own word for the exit, if it has one: `Error`.
    pub word: Option<String>,
}

impl ProcessExit {
    /// Returns the exit with this status, about which nothing else is known.
    pub fn of_status(status: i64) -> Self {
        Self { status, ..Self::default() }
    }
}

/// What a process ran in, in the words of its backend.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Subject<'a> {
    /// The run's name.
    pub run_id: &'a str,
    /// What it ran in and its name: `pod a-1`.
    pub what: &'a str,
    /// The container image, if it ran in one.
    pub image: Option<&'a str>,
    /// The server that runs it, and its address: `the Docker daemon at unix:///d`.
    pub server: &'a str,
    /// The memory limit of the container, as it was written.
    pub memory: Option<&'a str>,
    /// The last lines that it wrote.
    pub last_lines: Vec<String>,
    /// Whether it seals its outcome with the run's key, so that no line is needed.
    pub is_sealed: bool,
    /// The backend's own advice.
    pub advice: Advice,
}

/// A backend's own advice on what to do next.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Advice {
    /// For a process that could not write to the stage.
    pub stage: &'static str,
    /// For a process that was killed from outside.
    pub killed: &'static str,
    /// For a container that used up its memory limit.
    pub memory: &'static str,
    /// Whose memory ran out where the container has no limit, and advice for that.
    pub no_limit: (&'static str, &'static str),
    /// For leftovers behind a server that is away.
    pub unreachable: &'static str,
}

impl Advice {
    /// Advice for processes of this machine.
    pub const OF_PROCESSES: Self = Self {
        stage: "it must reach the stage as this program does",
        killed: AGAIN,
        memory: AGAIN,
        no_limit: (
            "this machine",
            "let fewer run at once, or bound them: RunEnvironment::with_memory",
        ),
        unreachable: AGAIN,
    };
}

impl<'a> Subject<'a> {
    /// Returns the subject for a process of this machine, `what` being its name in messages:
    /// `process 4711`.
    pub fn process(run_id: &'a str, what: &'a str) -> Self {
        Self {
            run_id,
            what,
            image: None,
            server: "this machine",
            memory: None,
            last_lines: Vec::new(),
            is_sealed: false,
            advice: Advice::OF_PROCESSES,
        }
    }
}

/// Advice where the next attempt may go well.
pub(crate) const AGAIN: &str =
    "submit it again, or allow another attempt: RunEnvironment::with_retries";

impl Subject<'_> {
    /// Returns what vouches for the outcome after this `end`.
    ///
    /// # Errors
    ///
    /// The error of the run if there can be no outcome.
    pub fn judge(&self, end: ProcessEnd) -> Result<Voucher, Error> {
        let Self { what, server, .. } = self;
        match end {
            ProcessEnd::Exited(exit) => self.exited(exit),
            ProcessEnd::Failed(how) => Err(self.lost(format!("{what} {how}"), AGAIN)),
            ProcessEnd::Deleted => Err(self.lost(
                format!("somebody deleted {what}"),
                "leave what has labels com.spotify.hype alone, or allow another attempt: \
                 RunEnvironment::with_retries",
            )),
            ProcessEnd::Unreachable(after) => Err(self.lost(
                format!(
                    "{server} went away while {what} was there, and didn't come back within {after:?}"
                ),
                self.advice.unreachable,
            )),
            ProcessEnd::NeverStarted(error) => Err(error),
        }
    }

    fn exited(&self, exit: ProcessExit) -> Result<Voucher, Error> {
        let ProcessExit { status, line, stopped_by, .. } = &exit;
        // It says that it left an outcome, whatever else happened.
        match (status, line, stopped_by) {
            (0, Some(line), Some(why)) => Ok(Voucher::Stopped(line.clone(), why.clone())),
            (0, Some(line), None) => Ok(Voucher::Line(line.clone())),
            (0, None, _) if self.is_sealed => Ok(Voucher::Key),
            _ if exit.is_out_of_memory => Err(self.out_of_memory(&exit)),
            (_, _, Some(why)) => Err(self.lost(format!("{why}, and it left no outcome"), AGAIN)),
            _ => Err(self.without_outcome(&exit)),
        }
    }

    fn without_outcome(&self, exit: &ProcessExit) -> Error {
        let (what, status) = (self.what, exit.status);
        let hype_run = match self.image {
            Some(image) => format!("hype-run of the image {image}"),
            None => "hype-run".to_owned(),
        };
        match u8::try_from(status) {
            Ok(SUCCESS) => self.lost(
                format!("{what} succeeded, and left no outcome"),
                "what ran must be hype-run, of this version: it alone may be the image's entrypoint",
            ),
            Ok(WRONG_USAGE) => self.lost(
                format!("{hype_run} was started wrongly (status 2)"),
                "it must be of this version: spotify/hype is tagged with them",
            ),
            Ok(NO_OUTCOME) => self.lost(
                format!("{what} could leave no outcome (status 3)"),
                self.advice.stage,
            ),
            Ok(STARTED_BEFORE) => self.lost(
                format!(
                    "{what} was started a second time, which runs nothing, and its first start left no \
                     outcome (status 4)"
                ),
                AGAIN,
            ),
            Ok(KILLED) => self.lost(format!("{what} was killed (status 137)"), self.advice.killed),
            _ => {
                let word = exit.word.as_ref().map_or_else(String::new, |word| format!(" ({word})"));
                self.lost(
                    format!("{what} ended with status {status}{word}"),
                    format!("was that {hype_run}? An image must start nothing else"),
                )
            }
        }
    }

    /// The memory was the container's, of which the closure has a part.
    fn out_of_memory(&self, exit: &ProcessExit) -> Error {
        let Self { what, memory, last_lines, advice, .. } = self;
        let after = exit.ran_for.map_or_else(String::new, |ran_for| format!(" after {ran_for:?}"));
        let (whose, hint) = match memory {
            Some(limit) => (format!("it used up its memory limit of {limit}"), advice.memory),
            None => {
                let (whose, hint) = advice.no_limit;
                (format!("{whose} ran out of memory, and it has no limit"), hint)
            }
        };
        out_of_memory(format!("{what} was OOM-killed{after}: {whose}"), last_lines).hint(hint)
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
        killed: "somebody did that",
        memory: "raise it by with_limit",
        no_limit: ("its node", "request it by with_request"),
        unreachable: "cargo hype gc removes what is left",
    };

    fn subject() -> Subject<'static> {
        Subject {
            run_id: "hype-run-a",
            what: "pod hype-run-a-1",
            image: Some("a/b:1"),
            server: "the API server at https://c/",
            memory: Some("64Mi"),
            last_lines: Vec::new(),
            is_sealed: false,
            advice: ADVICE,
        }
    }

    fn line() -> TerminationLine {
        TerminationLine { outcome: "gs://b/runs/r/outcome".into(), digest: Digest::of(b"outcome") }
    }

    fn exited(exit: ProcessExit) -> ProcessEnd {
        ProcessEnd::Exited(exit)
    }

    #[test]
    fn successful_exit_vouches_for_the_outcome() {
        let well = ProcessExit { line: Some(line()), ..ProcessExit::of_status(0) };
        // A child that was killed doesn't take the outcome away.
        let with_killed_child = ProcessExit { is_out_of_memory: true, ..well.clone() };
        for exit in [well.clone(), with_killed_child] {
            assert_eq!(subject().judge(exited(exit)).unwrap(), Voucher::Line(line()));
        }
        let why = "pod hype-run-a-1 was preempted".to_owned();
        let stopped = ProcessExit { stopped_by: Some(why.clone()), ..well };
        let stopped = subject().judge(exited(stopped)).unwrap();
        assert_eq!(stopped, Voucher::Stopped(line(), why));
        let sealed = Subject { is_sealed: true, ..subject() };
        let stopped_daemon =
            ProcessExit { stopped_by: Some("the daemon stopped".into()), ..Default::default() };
        for exit in [ProcessExit::of_status(0), stopped_daemon] {
            assert_eq!(sealed.judge(exited(exit)).unwrap(), Voucher::Key);
        }
    }

    #[test]
    fn each_end_without_outcome_has_its_own_message() {
        let status = |status| exited(ProcessExit::of_status(status));
        let word = ProcessExit { word: Some("Error".into()), ..ProcessExit::of_status(101) };
        let stopped = ProcessExit {
            stopped_by: Some("somebody deleted pod hype-run-a-1".into()),
            ..ProcessExit::of_status(137)
        };
        let ends = [
            (status(0), "pod hype-run-a-1 succeeded, and left no outcome", "entrypoint"),
            (status(2), "hype-run of the image a/b:1 was started wrongly", "tagged with"),
            (status(3), "could leave no outcome (status 3)", "with_stage_secret"),
            (status(4), "was started a second time, which runs nothing", "with_retries"),
            (status(137), "was killed (status 137)", "somebody did that"),
            (exited(word), "ended with status 101 (Error)", "was that hype-run of the image a/b:1"),
            (exited(stopped), "somebody deleted pod hype-run-a-1, and it left no", "with_retries"),
            (ProcessEnd::Failed("was evicted".into()), "pod hype-run-a-1 was evicted", "retries"),
            (ProcessEnd::Deleted, "somebody deleted pod hype-run-a-1", "labels"),
            (
                ProcessEnd::Unreachable(Duration::from_secs(300)),
                "the API server at https://c/ went away while pod hype-run-a-1 was there",
                "cargo hype gc",
            ),
        ];
        for (end, reason, hint) in ends {
            let error = subject().judge(end).unwrap_err();
            assert!(error.is_lost() && error.is_infrastructure(), "{error:?}");
            let report = error.report();
            let (told, hinted) = report.split_once("\nHint: ").unwrap();
            assert!(told.contains(reason) && hinted.contains(hint), "{report}");
        }
    }

    #[test]
    fn container_without_memory_is_the_closures_failure() {
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
        let told = "pod hype-run-a-1 was OOM-killed after 12s: it used up its memory limit of 64Mi\n\
                    Caused by:\n   0: its last lines:\n      loading\nHint: raise it by with_limit";
        assert!(report.starts_with(told), "{report}");
        let unlimited = Subject { memory: None, ..subject() };
        let report = unlimited.judge(exited(killed)).unwrap_err().report();
        assert!(report.contains("its node ran out of memory") && report.contains("with_request"));
    }

    #[test]
    fn lost_run_shows_its_last_lines() {
        let last_lines = vec!["error: no outcome".into(), "  caused by: x".into()];
        let subject = Subject { last_lines, ..subject() };
        let report = subject.judge(exited(ProcessExit::of_status(3))).unwrap_err().report();
        let told = "   1: its last lines:\n      error: no outcome\n        caused by: x\nHint:";
        assert!(report.contains(told), "{report}");
    }
}
