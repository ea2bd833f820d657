//! Maps the end of a Pod to a result, or to an error with a hint.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::snapshot::{Exit, PodSnapshot, ProcessState, Reason, describe_reason};
use super::waits::Wait;
use crate::configuration::Key;
use crate::error::{Error, ErrorKind};
use crate::runner::Completion;
use crate::runner::verdict::{Advice, ProcessEnd, ProcessExit, RETRY_HINT, Subject};

/// The end of a created Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PodEnd {
    /// `hype-run` exited. The text is the reason why it was asked to stop, if it was.
    Exited(Exit, Option<String>),
    /// The Pod failed, and no exit of `hype-run` is known.
    Failed(Reason),
    /// A user or another program deleted the Pod.
    Deleted,
    /// The Pod waited longer than the timeout.
    Stuck(Wait, Duration),
    /// The API server was unreachable for longer than the timeout.
    Unreachable(Duration),
}

impl PodEnd {
    /// Returns the end of a Pod from its last snapshot; `None` while the Pod is alive.
    pub(crate) fn of(pod: &str, snapshot: &PodSnapshot, is_deleted: bool) -> Option<Self> {
        if let ProcessState::Ended(exit) = &snapshot.process {
            return Some(Self::Exited(exit.clone(), snapshot.stop_reason(pod)));
        }
        if snapshot.final_phase.is_some() {
            let unknown = || Reason { code: "Failed".to_owned(), message: String::new() };
            return Some(Self::Failed(snapshot.failure.clone().unwrap_or_else(unknown)));
        }
        is_deleted.then(|| match snapshot.disruption.clone().or(snapshot.failure.clone()) {
            Some(reason) => Self::Failed(reason),
            None => Self::Deleted,
        })
    }
}

/// A Pod that has ended, with its names for messages.
#[derive(Debug, Clone)]
pub(crate) struct EndedPod<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) pod: &'a str,
    pub(crate) image: &'a str,
    /// The address of the API server.
    pub(crate) server: &'a str,
    /// The memory limit of its container.
    pub(crate) memory: Option<&'a str>,
    /// The name of the secret with the credentials of the stage, if this program chose it.
    pub(crate) stage_secret: Option<&'a str>,
    pub(crate) last_lines: Vec<String>,
    /// The events about the claims that the Pod waits for.
    pub(crate) claim_events: Vec<String>,
}

const ADVICE: Advice = Advice {
    stage: "it must reach the stage as this program does: see Submitter::with_stage_secret and \
            RunEnvironment::with_service_account",
    killed: RETRY_HINT,
    memory: "raise the container's limit, e.g. RunEnvironment::with_limit(\"memory\", \"4Gi\"); it holds \
             hype-run and what is staged, too. with_memory bounds what the closure takes of it",
    memory_owner: "its node",
    no_memory_limit: "request what it needs, e.g. RunEnvironment::with_request(\"memory\", \"4Gi\"), so that a node is \
         chosen which has it; with_memory bounds what the closure takes",
    unreachable: "once it is back, cargo hype gc --submitter kubernetes removes what is left",
};

impl EndedPod<'_> {
    /// Returns what proves the outcome after this `end`, or the error of the run.
    pub(crate) fn judge(&self, end: PodEnd) -> Result<Completion, Error> {
        let Self { run_id, pod, image, server, memory, last_lines, .. } = self;
        let subject = Subject {
            run_id,
            name: &format!("pod {pod}"),
            image: Some(image),
            server: &format!("the API server at {server}"),
            memory: *memory,
            last_lines: last_lines.clone(),
            is_sealed: false,
            advice: ADVICE,
        };
        subject.judge(self.process_end(end))
    }

    fn process_end(&self, end: PodEnd) -> ProcessEnd {
        match end {
            PodEnd::Exited(exit, why) => self.exited(exit, why),
            PodEnd::Failed(Reason { code, message }) => {
                ProcessEnd::Failed(describe_reason(&code, &message))
            }
            PodEnd::Deleted => ProcessEnd::Deleted,
            PodEnd::Stuck(wait, after) => self.stuck(wait, after),
            PodEnd::Unreachable(after) => ProcessEnd::Unreachable(after),
        }
    }

    fn exited(&self, exit: Exit, stopped_by: Option<String>) -> ProcessEnd {
        let line = exit.line().parse().ok();
        let Exit { status, reason: Reason { code, message }, seconds } = exit;
        if matches!(code.as_str(), "StartError" | "ContainerCannotRun") && stopped_by.is_none() {
            let image = self.image;
            let error = format!("the image {image} has no hype-run that can be started");
            let error = Error::runner(error, message).concerning_value(Key::Image, image);
            return ProcessEnd::NeverStarted(error.hint(
                "install hype-run in it and end its Dockerfile with ENTRYPOINT [\"hype-run\"]",
            ));
        }
        let mut end = ProcessExit::of_status(status.into());
        end.line = line;
        end.is_out_of_memory = code == "OOMKilled";
        end.stopped_by = stopped_by;
        end.ran_for = seconds.and_then(|seconds| seconds.try_into().ok()).map(Duration::from_secs);
        end.reason = Some(code);
        ProcessEnd::Exited(end)
    }

    fn stuck(&self, wait: Wait, after: Duration) -> ProcessEnd {
        let Self { pod, image, stage_secret, claim_events, .. } = self;
        ProcessEnd::NeverStarted(match wait {
            Wait::Node(why) => {
                let message = format!("pod {pod} found no node within {after:?}");
                let error = Error::runner(message, SchedulingError(why, claim_events.clone()));
                error.hint(
                    "request less by RunEnvironment::with_request, wait longer by \
                     with_queue_timeout, or look at nodes, taints and claims: kubectl describe",
                )
            }
            Wait::Image(why) => {
                let message = format!("the image {image} cannot be pulled");
                Error::runner(message, why).concerning_value(Key::Image, image).hint(
                    "RunEnvironment::with_image, HYPE_IMAGE and hype.toml name another; \
                     RunEnvironment::with_image_pull_secret names the credentials of a private one",
                )
            }
            Wait::MissingObject(why) => {
                let message = format!("pod {pod} names something that doesn't exist");
                let secret = stage_secret.filter(|name| why.contains(&format!("\"{name}\"")));
                let error = Error::new(ErrorKind::Input, message).because(why).hint(
                    "create it in the namespace of the Pod: kubectl create secret generic ..",
                );
                match secret {
                    Some(name) => error.concerning_value(Key::StageSecret, name),
                    None => error,
                }
            }
            Wait::Termination(reason) => {
                let description = reason.map_or_else(
                    || "was to be deleted".to_owned(),
                    |Reason { code, message }| describe_reason(&code, &message),
                );
                return ProcessEnd::Failed(format!(
                    "{description}, and its node doesn't report its end"
                ));
            }
        })
    }
}

/// The reason why no node accepts a Pod, and the events about its claims.
#[derive(Debug)]
struct SchedulingError(String, Vec<String>);

impl fmt::Display for SchedulingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)?;
        self.1.iter().try_for_each(|claim| write!(f, "\n      {claim}"))
    }
}

impl StdError for SchedulingError {}

#[cfg(test)]
mod tests;
