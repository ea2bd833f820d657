//! How a container ended: what the daemon says of it, as a person should read it.

use hype_wire::exit_status::{KILLED, NO_OUTCOME, STARTED_BEFORE, WRONG_USAGE};

use crate::error::Error;
use crate::runner::Voucher;
use crate::runner::lost::{lost, out_of_memory};

/// What became of a container whose process was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its process ended.
    Exited(Exit),
    /// Somebody removed it.
    Removed,
    /// The daemon went away and took the container with it, which ended so.
    Stopped(Exit),
    /// The daemon went away and didn't come back in time.
    Away,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Its status; 128 and a signal's number if that ended it.
    pub(crate) status: i64,
    /// Whether the system killed something in the container for want of memory.
    pub(crate) is_out_of_memory: bool,
}

/// Whose end it is.
#[derive(Debug, Clone)]
pub(crate) struct Ended<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) container: &'a str,
    pub(crate) image: &'a str,
    /// Where the daemon is, and how long it was waited for.
    pub(crate) daemon: &'a str,
    pub(crate) patience: std::time::Duration,
    /// The memory that was asked for.
    pub(crate) memory: Option<&'a str>,
    /// The last lines that it wrote.
    pub(crate) said: Vec<String>,
}

impl Ended<'_> {
    /// Who vouches for the outcome after this `end`; an error if there can be none.
    pub(crate) fn judged(&self, end: End) -> Result<Voucher, Error> {
        let Self { container, daemon, .. } = self;
        match end {
            // It says that it left an outcome, whatever else happened.
            End::Exited(Exit { status: 0, .. }) | End::Stopped(Exit { status: 0, .. }) => {
                Ok(Voucher::Key)
            }
            End::Exited(exit) => Err(self.exited(exit)),
            End::Removed => Err(self.lost(
                format!("somebody removed container {container} while it ran"),
                "leave containers with labels com.spotify.hype alone, or allow another attempt: \
                 RunEnvironment::with_retries",
            )),
            End::Stopped(exit) => Err(self.lost(
                format!(
                    "the Docker daemon at {daemon} stopped while container {container} ran, and \
                     ended it with status {}",
                    exit.status
                ),
                "submit it again, or allow another attempt: RunEnvironment::with_retries",
            )),
            End::Away => Err(self.lost(
                format!(
                    "the Docker daemon at {daemon} went away while container {container} ran, and \
                     didn't come back within {:?}",
                    self.patience
                ),
                "once it is back, cargo hype gc removes what is left of the container",
            )),
        }
    }

    fn exited(&self, exit: Exit) -> Error {
        let Self { container, image, .. } = self;
        let status = exit.status;
        if exit.is_out_of_memory {
            return self.out_of_memory();
        }
        match u8::try_from(status) {
            Ok(KILLED) => self.lost(
                format!("container {container} was killed (status {status})"),
                "somebody did that (docker kill, docker stop), or the system for want of memory",
            ),
            Ok(WRONG_USAGE) => self.lost(
                format!("hype-run of the image {image} was started wrongly (status {status})"),
                "the image must have hype-run of this version: spotify/hype is tagged with them",
            ),
            Ok(NO_OUTCOME) => self.lost(
                format!("container {container} could leave no outcome (status {status})"),
                "it must reach the stage as this program does: see Submitter::with_stage_secret",
            ),
            Ok(STARTED_BEFORE) => self.lost(
                format!(
                    "container {container} was started a second time, which runs nothing (status {status})"
                ),
                "leave containers with labels com.spotify.hype alone, or allow another attempt: \
                 RunEnvironment::with_retries",
            ),
            _ => {
                let reason = format!("container {container} ended with status {status}");
                let hint = format!("is it hype-run that the image {image} starts?");
                self.lost(reason, hint)
            }
        }
    }

    /// Whose memory that was: the container's, of which the closure has a part.
    fn out_of_memory(&self) -> Error {
        let Self { container, memory, said, .. } = self;
        let whose = match memory {
            Some(limit) => format!("it used up its memory limit of {limit}"),
            None => "the daemon's machine ran out of memory, and it has no limit".to_owned(),
        };
        out_of_memory(format!("container {container} was OOM-killed: {whose}"), said).hint(
            "raise the container's limit, e.g. RunEnvironment::with_request(\"memory\", \"4Gi\"); it holds hype-run and \
             what is staged, too. with_memory bounds what the closure takes of it",
        )
    }

    fn lost(&self, reason: String, hint: impl Into<String>) -> Error {
        lost(self.run_id, reason, &self.said).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn judged(end: &End, said: &[&str]) -> Result<Voucher, Error> {
        Ended {
            run_id: "hype-run-a",
            container: "hype-run-a-1",
            image: "a/b:1",
            daemon: "unix:///d",
            patience: Duration::from_secs(30),
            memory: Some("64Mi"),
            said: said.iter().map(|line| line.to_string()).collect(),
        }
        .judged(*end)
    }

    fn exit(status: i64) -> Exit {
        Exit { status, is_out_of_memory: false }
    }

    #[test]
    fn who_ends_well_has_left_an_outcome() {
        assert_eq!(judged(&End::Exited(exit(0)), &[]).unwrap(), Voucher::Key);
        assert_eq!(judged(&End::Stopped(exit(0)), &[]).unwrap(), Voucher::Key);
        // A child that was killed doesn't take the outcome away.
        let killed_child = Exit { is_out_of_memory: true, ..exit(0) };
        assert_eq!(judged(&End::Exited(killed_child), &[]).unwrap(), Voucher::Key);
    }

    #[test]
    fn each_other_end_is_told_apart() {
        let ends = [
            (End::Exited(exit(137)), "was killed (status 137)", "docker kill"),
            (End::Exited(exit(2)), "of the image a/b:1 was started wrongly", "tagged with"),
            (End::Exited(exit(3)), "could leave no outcome", "with_stage_secret"),
            (End::Exited(exit(4)), "was started a second time", "with_retries"),
            (End::Exited(exit(101)), "ended with status 101", "is it hype-run"),
            (End::Removed, "somebody removed container hype-run-a-1", "leave containers"),
            (End::Stopped(exit(137)), "daemon at unix:///d stopped while", "submit it again"),
            (End::Away, "didn't come back within 30s", "cargo hype gc"),
        ];
        for (end, reason, hint) in ends {
            let error = judged(&end, &[]).unwrap_err();
            assert!(error.is_lost() && error.is_infrastructure(), "{error:?}");
            let report = error.report();
            let (told, hinted) = report.split_once("\nHint: ").unwrap();
            assert!(told.contains(reason) && hinted.contains(hint), "{report}");
        }
    }

    #[test]
    fn a_container_without_memory_is_the_closures_failure() {
        let end = End::Exited(Exit { is_out_of_memory: true, ..exit(137) });
        let error = judged(&end, &["loading"]).unwrap_err();
        assert!(error.is_out_of_memory() && !error.is_infrastructure() && !error.is_lost());
        assert_eq!(error.exit_code(), 1);
        let report = error.report();
        let told = "container hype-run-a-1 was OOM-killed: it used up its memory limit of 64Mi\nCaused by:\n   \
                    0: its last lines:\n      loading\nHint: raise the container's limit";
        assert!(report.starts_with(told) && report.contains("with_request"), "{report}");
    }

    #[test]
    fn the_last_lines_are_told() {
        let error = judged(&End::Exited(exit(3)), &["error: no outcome", "  caused by: x"]);
        let report = error.unwrap_err().report();
        let told = "   1: its last lines:\n      error: no outcome\n        caused by: x\nHint:";
        assert!(report.contains(told), "{report}");
    }
}
