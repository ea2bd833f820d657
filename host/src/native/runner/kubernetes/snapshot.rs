//! The relevant state of a Pod, from its status.

use hype_wire::{SILENT, STARTED_AGAIN, TerminationLine};
use k8s_openapi::api::core::v1::{ContainerState, Pod, PodCondition};

use crate::environment::pod_base::CONTAINER;

/// The state of a Pod at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PodSnapshot {
    /// The node of the Pod, once it is scheduled.
    pub(crate) node: Option<String>,
    pub(crate) process: ProcessState,
    /// The final phase of the Pod: `Succeeded` or `Failed`.
    pub(crate) final_phase: Option<String>,
    /// The reason why the Pod failed.
    pub(crate) failure: Option<Reason>,
    /// The message why no node accepts the Pod.
    pub(crate) unschedulable: Option<String>,
    /// The grace period in seconds, if the Pod is being deleted.
    pub(crate) deletion_grace_seconds: Option<i64>,
    /// The disruption by the cluster, such as an eviction.
    pub(crate) disruption: Option<Reason>,
}

/// The state of `hype-run`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum ProcessState {
    /// The state is unknown.
    #[default]
    Unknown,
    /// The process can't start yet.
    Waiting(Reason),
    /// The process is running.
    Running,
    /// The process has exited.
    Ended(Exit),
}

/// A reason code of Kubernetes, with its message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Reason {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// The exit of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Exit {
    pub(crate) status: i32,
    /// The reason code `Completed`, `Error`, `OOMKilled`, `StartError` and so on. Its message is the termination log.
    pub(crate) reason: Reason,
    /// The running time in seconds, if known.
    pub(crate) seconds: Option<i64>,
}

impl Exit {
    /// Returns the termination line, which proves the outcome.
    pub(crate) fn line(&self) -> &str {
        self.reason.message.lines().next().unwrap_or_default()
    }

    /// Returns whether `hype-run` reports an outcome.
    pub(crate) fn has_outcome(&self) -> bool {
        self.status == 0 && self.line().parse::<TerminationLine>().is_ok()
    }

    /// Returns whether the container was started again, so that its log isn't the closure's.
    pub(crate) fn is_restart(&self) -> bool {
        self.reason.message.lines().skip(1).any(|line| line == STARTED_AGAIN)
    }

    /// Returns whether `hype-run` reports that the closure wrote no output.
    pub(crate) fn is_silent(&self) -> bool {
        self.status == 0 && self.reason.message.lines().nth(1) == Some(SILENT)
    }
}

impl PodSnapshot {
    /// Extracts the state from a Pod's status.
    pub(crate) fn of(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let condition = |type_: &str, status: &str| {
            let mut all = conditions.iter();
            all.find(|condition| condition.type_ == type_ && condition.status == status)
        };
        let containers = status.container_statuses.unwrap_or_default();
        let own = containers.into_iter().find(|container| container.name == CONTAINER);
        let unschedulable = condition("PodScheduled", "False");
        let phase = status.phase.unwrap_or_default();
        let final_phase = (phase == "Succeeded" || phase == "Failed").then_some(phase);
        let failure = status.reason.map(|code| reason(code, status.message));
        Self {
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            process: own.and_then(|own| own.state).map(process).unwrap_or_default(),
            final_phase,
            failure,
            unschedulable: unschedulable.map(|it| it.message.clone().unwrap_or_default()),
            deletion_grace_seconds: pod
                .metadata
                .deletion_timestamp
                .is_some()
                .then(|| pod.metadata.deletion_grace_period_seconds.unwrap_or_default()),
            disruption: condition("DisruptionTarget", "True").map(disruption),
        }
    }

    /// Returns the reason why `hype-run` was asked to stop, as a sentence, if it was.
    pub(crate) fn stop_reason(&self, pod: &str) -> Option<String> {
        let cause = self.disruption.as_ref().or(self.failure.as_ref());
        match cause {
            Some(Reason { code, message }) => {
                Some(format!("pod {pod} {}", describe_reason(code, message)))
            }
            None => self
                .deletion_grace_seconds
                .map(|_| format!("pod {pod} was deleted by another client")),
        }
    }
}

/// Describes a disruption or failure in plain words: `was evicted (Evicted): MESSAGE`.
pub(crate) fn describe_reason(code: &str, message: &str) -> String {
    let description = match code {
        "Evicted" | "TerminationByKubelet" | "EvictionByEvictionAPI" => "was evicted",
        "Preempting" | "Preempted" | "PreemptionByScheduler" => "was preempted",
        "NodeLost" | "DeletionByPodGC" | "DeletionByTaintManager" => "was on a node that was lost",
        "Shutdown" | "Terminated" | "NodeShutdown" => "was on a node that shut down",
        "DeadlineExceeded" => "exceeded its deadline",
        _ => "failed",
    };
    let message = message.trim();
    if message.is_empty() {
        format!("{description} ({code})")
    } else {
        format!("{description} ({code}): {message}")
    }
}

fn reason(code: String, message: Option<String>) -> Reason {
    Reason { code, message: message.unwrap_or_default() }
}

fn disruption(condition: &PodCondition) -> Reason {
    reason(condition.reason.clone().unwrap_or_default(), condition.message.clone())
}

fn process(state: ContainerState) -> ProcessState {
    if let Some(terminated) = state.terminated {
        let since = terminated.started_at.zip(terminated.finished_at);
        // The times of a process that never started can be in the wrong order.
        let seconds = since.map(|(from, to)| to.0.as_second() - from.0.as_second());
        return ProcessState::Ended(Exit {
            status: terminated.exit_code,
            reason: reason(terminated.reason.unwrap_or_default(), terminated.message),
            seconds: seconds.filter(|seconds| *seconds >= 0),
        });
    }
    if state.running.is_some() {
        return ProcessState::Running;
    }
    let waiting = state.waiting.unwrap_or_default();
    ProcessState::Waiting(reason(waiting.reason.unwrap_or_default(), waiting.message))
}
