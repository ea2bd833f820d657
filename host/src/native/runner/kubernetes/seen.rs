//! What a Pod says of itself, as far as a run must know it.

use hype_wire::{SILENT, STARTED_AGAIN, TerminationLine};
use k8s_openapi::api::core::v1::{ContainerState, Pod, PodCondition};

use crate::environment::pod_base::CONTAINER;

/// A Pod, seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// The node that it is assigned to.
    pub(crate) node: Option<String>,
    pub(crate) process: ProcessState,
    /// How the Pod ended: `Succeeded` or `Failed`.
    pub(crate) ended: Option<String>,
    /// Why the Pod failed, by itself or by its node.
    pub(crate) failure: Option<Reason>,
    /// Why no node takes it.
    pub(crate) unschedulable: Option<String>,
    /// Whether somebody deletes it, and how many seconds it has until then.
    pub(crate) is_going: Option<i64>,
    /// What the cluster does to it, such as an eviction.
    pub(crate) disruption: Option<Reason>,
}

/// How far `hype-run` is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum ProcessState {
    /// Nothing is known of it.
    #[default]
    Unknown,
    /// It can't start yet.
    Waiting(Reason),
    /// It runs.
    Running,
    /// It ended.
    Ended(Exit),
}

/// Kubernetes' own word for a reason, and what it says besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Reason {
    pub(crate) word: String,
    pub(crate) message: String,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Exit {
    pub(crate) status: i32,
    /// `Completed`, `Error`, `OOMKilled`, `StartError`..
    pub(crate) reason: Reason,
    /// For how many seconds it ran, if that is known.
    pub(crate) seconds: Option<i64>,
}

impl Exit {
    /// The line by which `hype-run` vouches for its outcome.
    pub(crate) fn line(&self) -> &str {
        self.reason.message.lines().next().unwrap_or_default()
    }

    /// Whether `hype-run` says that it left an outcome.
    pub(crate) fn has_outcome(&self) -> bool {
        self.status == 0 && self.line().parse::<TerminationLine>().is_ok()
    }

    /// Whether this is the end of a start after the first, so that the log isn't that of the closure.
    pub(crate) fn is_of_later_start(&self) -> bool {
        self.reason.message.lines().skip(1).any(|line| line == STARTED_AGAIN)
    }

    /// Whether `hype-run` says that there is no output.
    pub(crate) fn is_silent(&self) -> bool {
        self.status == 0 && self.reason.message.lines().nth(1) == Some(SILENT)
    }
}

impl Seen {
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
        let ended = (phase == "Succeeded" || phase == "Failed").then_some(phase);
        let failure = status.reason.map(|word| reason(word, status.message));
        Self {
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            process: own.and_then(|own| own.state).map(process).unwrap_or_default(),
            ended,
            failure,
            unschedulable: unschedulable.map(|it| it.message.clone().unwrap_or_default()),
            is_going: pod
                .metadata
                .deletion_timestamp
                .is_some()
                .then(|| pod.metadata.deletion_grace_period_seconds.unwrap_or_default()),
            disruption: condition("DisruptionTarget", "True").map(disruption),
        }
    }

    /// Why `hype-run` was told to stop, if it was.
    pub(crate) fn why_stopped(&self, pod: &str) -> Option<String> {
        let told = self.disruption.as_ref().or(self.failure.as_ref());
        match told {
            Some(Reason { word, message }) => Some(format!("pod {pod} {}", befell(word, message))),
            None => self.is_going.map(|_| format!("somebody deleted pod {pod}")),
        }
    }
}

/// What befell a Pod, from Kubernetes' word for it.
pub(crate) fn befell(word: &str, message: &str) -> String {
    let what = match word {
        "Evicted" | "TerminationByKubelet" | "EvictionByEvictionAPI" => "was evicted",
        "Preempting" | "Preempted" | "PreemptionByScheduler" => "was preempted",
        "NodeLost" | "DeletionByPodGC" | "DeletionByTaintManager" => "was on a node that was lost",
        "Shutdown" | "Terminated" | "NodeShutdown" => "was on a node that shut down",
        "DeadlineExceeded" => "was there for longer than it may",
        _ => "failed",
    };
    let message = message.trim();
    if message.is_empty() {
        format!("{what} ({word})")
    } else {
        format!("{what} ({word}): {message}")
    }
}

fn reason(word: String, message: Option<String>) -> Reason {
    Reason { word, message: message.unwrap_or_default() }
}

fn disruption(condition: &PodCondition) -> Reason {
    reason(condition.reason.clone().unwrap_or_default(), condition.message.clone())
}

fn process(state: ContainerState) -> ProcessState {
    if let Some(ended) = state.terminated {
        let since = ended.started_at.zip(ended.finished_at);
        // A process that never started has times of its own.
        let seconds = since.map(|(from, to)| to.0.as_second() - from.0.as_second());
        return ProcessState::Ended(Exit {
            status: ended.exit_code,
            reason: reason(ended.reason.unwrap_or_default(), ended.message),
            seconds: seconds.filter(|seconds| *seconds >= 0),
        });
    }
    if state.running.is_some() {
        return ProcessState::Running;
    }
    let waiting = state.waiting.unwrap_or_default();
    ProcessState::Waiting(reason(waiting.reason.unwrap_or_default(), waiting.message))
}
