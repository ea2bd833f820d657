//! How a Pod ended: what Kubernetes says of it, as a person should read it.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::seen::{Exit, ProcessState, Reason, Seen, befell};
use super::waits::Wait;
use crate::error::{Error, ErrorKind};
use crate::runner::Voucher;
use crate::runner::verdict::{AGAIN, Advice, ProcessEnd, ProcessExit, Subject};

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
        if let ProcessState::Ended(exit) = &seen.process {
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

/// A Pod that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) pod: &'a str,
    pub(crate) image: &'a str,
    /// The address of the API server.
    pub(crate) server: &'a str,
    /// The memory limit of its container.
    pub(crate) memory: Option<&'a str>,
    pub(crate) last_lines: Vec<String>,
    /// What events say of the claims that it waits for.
    pub(crate) claims: Vec<String>,
}

const ADVICE: Advice = Advice {
    stage: "it must reach the stage as this program does: see Submitter::with_stage_secret and \
            RunEnvironment::with_service_account",
    killed: AGAIN,
    memory: "raise the container's limit, e.g. RunEnvironment::with_limit(\"memory\", \"4Gi\"); it holds \
             hype-run and what is staged, too. with_memory bounds what the closure takes of it",
    no_limit: (
        "its node",
        "request what it needs, e.g. RunEnvironment::with_request(\"memory\", \"4Gi\"), so that a node is \
         chosen which has it; with_memory bounds what the closure takes",
    ),
    unreachable: "once it is back, cargo hype gc --submitter kubernetes removes what is left",
};

impl Ended<'_> {
    /// Returns what vouches for the outcome after this `end`, or the error of the run.
    pub(crate) fn judge(&self, end: End) -> Result<Voucher, Error> {
        let Self { run_id, pod, image, server, memory, last_lines, .. } = self;
        let subject = Subject {
            run_id,
            what: &format!("pod {pod}"),
            image: Some(image),
            server: &format!("the API server at {server}"),
            memory: *memory,
            last_lines: last_lines.clone(),
            is_sealed: false,
            advice: ADVICE,
        };
        subject.judge(self.process_end(end))
    }

    fn process_end(&self, end: End) -> ProcessEnd {
        match end {
            End::Exited(exit, why) => self.exited(exit, why),
            End::Failed(Reason { word, message }) => ProcessEnd::Failed(befell(&word, &message)),
            End::Deleted => ProcessEnd::Deleted,
            End::Stuck(wait, after) => self.stuck(wait, after),
            End::Away(after) => ProcessEnd::Unreachable(after),
        }
    }

    fn exited(&self, exit: Exit, stopped_by: Option<String>) -> ProcessEnd {
        let line = exit.line().parse().ok();
        let Exit { status, reason: Reason { word, message }, seconds } = exit;
        if matches!(word.as_str(), "StartError" | "ContainerCannotRun") && stopped_by.is_none() {
            let image = self.image;
            let error = format!("the image {image} has no hype-run that can be started");
            return ProcessEnd::NeverStarted(Error::runner(error, message).hint(
                "install hype-run in it and end its Dockerfile with ENTRYPOINT [\"hype-run\"]",
            ));
        }
        let mut end = ProcessExit::of_status(status.into());
        end.line = line;
        end.is_out_of_memory = word == "OOMKilled";
        end.stopped_by = stopped_by;
        end.ran_for = seconds.and_then(|seconds| seconds.try_into().ok()).map(Duration::from_secs);
        end.word = Some(word);
        ProcessEnd::Exited(end)
    }

    fn stuck(&self, wait: Wait, after: Duration) -> ProcessEnd {
        let Self { pod, image, claims, .. } = self;
        ProcessEnd::NeverStarted(match wait {
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
                let how = reason.map_or_else(
                    || "was to be deleted".to_owned(),
                    |Reason { word, message }| befell(&word, &message),
                );
                return ProcessEnd::Failed(format!(
                    "{how}, and its node doesn't say that it ended"
                ));
            }
        })
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
