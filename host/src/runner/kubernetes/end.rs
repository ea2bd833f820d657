//! How a Pod ended: what Kubernetes says of it, as a person should read it.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use hype_wire::exit_status::{KILLED, NO_OUTCOME, STARTED_BEFORE, SUCCESS, WRONG_USAGE};

use super::seen::{Exit, Process, Reason, Seen, befell};
use super::waits::Wait;
use crate::error::{Error, ErrorKind};
use crate::runner::Voucher;
use crate::runner::lost::{lost, out_of_memory};

/// What became of a Pod that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// `hype-run` ended; and why it was told to stop, if it was.
    Exited(Exit, Option<String>),
    /// The Pod failed without an end of `hype-run` that is known.
    Failed(Reason),
    /// Somebody deleted it.
    Deleted,
    /// It waited for something for too long.
    Stuck(Wait, Duration),
    /// The API server went away, and didn't come back in time.
    Away(Duration),
}

impl End {
    /// The end of a Pod that was last `seen`, if that is one.
    pub(crate) fn of(pod: &str, seen: &Seen, is_gone: bool) -> Option<Self> {
        if let Process::Ended(exit) = &seen.process {
            return Some(Self::Exited(exit.clone(), seen.why_stopped(pod)));
        }
        if seen.ended.is_some() {
            let silent = || Reason { word: "Failed".to_owned(), message: String::new() };
            return Some(Self::Failed(seen.failure.clone().unwrap_or_else(silent)));
        }
        is_gone.then(|| match seen.disruption.clone().or(seen.failure.clone()) {
            Some(reason) => Self::Failed(reason),
            None => Self::Deleted,
        })
    }
}

/// Whose end it is.
#[derive(Debug, Clone)]
pub(crate) struct Ended<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) pod: &'a str,
    pub(crate) image: &'a str,
    /// Where the API server is.
    pub(crate) server: &'a str,
    /// The memory that it may have.
    pub(crate) memory: Option<&'a str>,
    /// The last lines that it wrote.
    pub(crate) said: Vec<String>,
    /// What events say of the claims that it waits for.
    pub(crate) claims: Vec<String>,
}

const AGAIN: &str = "submit it again, or allow another attempt: RunEnvironment::with_retries";

impl Ended<'_> {
    /// Who vouches for the outcome after this `end`; an error if there can be none.
    pub(crate) fn judged(&self, end: End) -> Result<Voucher, Error> {
        let Self { pod, server, .. } = self;
        match end {
            End::Exited(exit, why) => self.exited(exit, why),
            End::Failed(Reason { word, message }) => {
                Err(self.lost(format!("pod {pod} {}", befell(&word, &message)), AGAIN))
            }
            End::Deleted => Err(self.lost(
                format!("somebody deleted pod {pod}"),
                "leave pods with labels com.spotify.hype alone, or allow another attempt: \
                 RunEnvironment::with_retries",
            )),
            End::Stuck(wait, after) => Err(self.stuck(wait, after)),
            End::Away(after) => Err(self.lost(
                format!(
                    "the API server at {server} went away while pod {pod} was there, and didn't \
                     come back within {after:?}"
                ),
                "once it is back, cargo hype gc --submitter kubernetes removes what is left",
            )),
        }
    }

    fn exited(&self, exit: Exit, why_stopped: Option<String>) -> Result<Voucher, Error> {
        let Self { pod, image, .. } = self;
        let said = exit.line().parse();
        let Exit { status, reason, seconds } = exit;
        if let (Ok(SUCCESS), Ok(line)) = (u8::try_from(status), said) {
            return Ok(match why_stopped {
                Some(why) => Voucher::Stopped(line, why),
                None => Voucher::Line(line),
            });
        }
        if reason.word == "OOMKilled" {
            let after = seconds.map_or_else(String::new, |seconds| format!(" after {seconds} s"));
            return Err(self.out_of_memory(&after));
        }
        if let Some(why) = why_stopped {
            return Err(self.lost(format!("{why}, and it left no outcome"), AGAIN));
        }
        Err(match (u8::try_from(status), reason.word.as_str()) {
            (_, "StartError" | "ContainerCannotRun") => {
                let message = format!("the image {image} has no hype-run that can be started");
                Error::runner(message, reason.message)
                    .hint("install hype-run in it and end its Dockerfile with ENTRYPOINT [\"hype-run\"]")
            }
            (Ok(SUCCESS), _) => self.lost(
                format!("pod {pod} succeeded, and left no outcome"),
                "what ran must be hype-run, of this version: it alone may be the image's entrypoint",
            ),
            (Ok(WRONG_USAGE), _) => self.lost(
                format!("hype-run of the image {image} was started wrongly (status {status})"),
                "the image must have hype-run of this version: spotify/hype is tagged with them",
            ),
            (Ok(NO_OUTCOME), _) => self.lost(
                format!("pod {pod} could leave no outcome (status {status})"),
                "it must reach the stage as this program does: see Submitter::with_stage_secret and \
                 RunEnvironment::with_service_account",
            ),
            (Ok(STARTED_BEFORE), _) => self.lost(
                format!(
                    "the container of pod {pod} was started a second time, which runs nothing, and \
                     its first start left no outcome (status {status})"
                ),
                AGAIN,
            ),
            (Ok(KILLED), _) => {
                self.lost(format!("pod {pod} was killed (status {status})"), AGAIN)
            }
            (_, word) => self.lost(
                format!("pod {pod} ended with status {status} ({word})"),
                format!("is it hype-run that the image {image} starts?"),
            ),
        })
    }

    /// Whose memory that was: the container's, of which the closure has a part.
    fn out_of_memory(&self, after: &str) -> Error {
        let Self { pod, memory, said, .. } = self;
        match memory {
            Some(limit) => {
                let message = format!(
                    "pod {pod} was OOM-killed{after}: its container `hype-run` used up its memory limit of {limit}"
                );
                out_of_memory(message, said).hint(
                    "raise the container's limit, e.g. RunEnvironment::with_limit(\"memory\", \"4Gi\"); it holds \
                     hype-run and what is staged, too. with_memory bounds what the closure takes of it",
                )
            }
            None => {
                let message = format!(
                    "pod {pod} was OOM-killed{after}: its node ran out of memory, and its container `hype-run` has no limit"
                );
                out_of_memory(message, said).hint(
                    "request what it needs, e.g. RunEnvironment::with_request(\"memory\", \"4Gi\"), so that a node is \
                     chosen which has it; with_memory bounds what the closure takes",
                )
            }
        }
    }

    fn stuck(&self, wait: Wait, after: Duration) -> Error {
        let Self { pod, image, claims, .. } = self;
        match wait {
            Wait::Node(why) => {
                let message = format!("pod {pod} found no node within {after:?}");
                let error = Error::runner(message, Reasons(why, claims.clone()));
                error.hint(
                    "ask for less by RunEnvironment::with_request, wait longer by \
                     with_queue_timeout, or look at nodes, taints and claims: kubectl describe",
                )
            }
            Wait::Image(why) => {
                let message = format!("the image {image} cannot be pulled");
                Error::runner(message, why).hint(
                    "RunEnvironment::with_image, HYPE_IMAGE and hype.toml name another; \
                     RunEnvironment::with_image_pull_secret names the credentials of a private one",
                )
            }
            Wait::Missing(why) => {
                let message = format!("pod {pod} names what isn't there");
                Error::new(ErrorKind::Input, message)
                    .because(why)
                    .hint("make it in the namespace of the Pod: kubectl create secret generic ..")
            }
            Wait::End(reason) => {
                let why = reason.map_or_else(
                    || format!("pod {pod} was to be deleted"),
                    |Reason { word, message }| format!("pod {pod} {}", befell(&word, &message)),
                );
                self.lost(format!("{why}, and its node doesn't say that it ended"), AGAIN)
            }
        }
    }

    fn lost(&self, reason: String, hint: impl Into<String>) -> Error {
        lost(self.run_id, reason, &self.said).hint(hint)
    }
}

/// Why no node takes a Pod, and what is told of its claims.
#[derive(Debug)]
struct Reasons(String, Vec<String>);

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)?;
        self.1.iter().try_for_each(|claim| write!(f, "\n      {claim}"))
    }
}

impl StdError for Reasons {}

#[cfg(test)]
mod tests;
