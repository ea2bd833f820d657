//! Transient states of a Pod, and how long to tolerate each.

use std::time::Duration;

use tokio::time::Instant;

use super::snapshot::{PodSnapshot, ProcessState, Reason};

/// Timeouts of the transient states of a Pod. The attempt fails when a state exceeds its timeout.
///
/// ```
/// use std::time::Duration;
///
/// use hype::kubernetes::PodTimeouts;
///
/// let mut timeouts = PodTimeouts::default();
/// assert_eq!(timeouts.image_pull, Duration::from_secs(120));
/// timeouts.image_pull = Duration::from_secs(600);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PodTimeouts {
    /// An image that can't be pulled. The default is 2 minutes.
    pub image_pull: Duration,
    /// A missing secret, claim or other object that the Pod names. The default is 1 minute.
    pub missing_object: Duration,
    /// An unreachable API server. The default is 5 minutes.
    pub unreachable_server: Duration,
    /// A node that doesn't report the end of a deleted Pod, counted after the Pod's grace period. The default is
    /// 1 minute.
    pub lost_node: Duration,
}

impl Default for PodTimeouts {
    fn default() -> Self {
        Self {
            image_pull: Duration::from_secs(120),
            missing_object: Duration::from_secs(60),
            unreachable_server: Duration::from_secs(300),
            lost_node: Duration::from_secs(60),
        }
    }
}

/// The cause that delays a Pod, with the message of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wait {
    /// No node accepts the Pod.
    Node(String),
    /// The image can't be pulled.
    Image(String),
    /// An object that the Pod names doesn't exist.
    MissingObject(String),
    /// The Pod is being deleted, and its node hasn't reported its end.
    Termination(Option<Reason>),
}

impl Wait {
    /// Returns whether both are the same state, whatever their messages.
    fn is_same_state(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// Tracks the current wait of a Pod, and when it began.
#[derive(Debug)]
pub(crate) struct WaitTracker {
    timeouts: PodTimeouts,
    queue_timeout: Duration,
    current: Option<(Wait, Instant)>,
    /// The message of the last event about a missing object that can't be mounted.
    mount_failure: Option<String>,
}

impl WaitTracker {
    /// Creates the tracker of a Pod that may wait for a node for `queue_timeout`.
    pub(crate) fn new(timeouts: PodTimeouts, queue_timeout: Duration) -> Self {
        Self { timeouts, queue_timeout, current: None, mount_failure: None }
    }

    /// Records an event. The wait for a node starts again when the cluster adds nodes.
    pub(crate) fn record_event(&mut self, reason: &str, message: &str, now: Instant) {
        match reason {
            "TriggeredScaleUp" => {
                if let Some((Wait::Node(_), since)) = &mut self.current {
                    *since = now;
                }
            }
            reason if is_missing_object(reason, message) => {
                self.mount_failure = Some(message.to_owned())
            }
            _ => {}
        }
    }

    /// Returns the deadline of the state in `snapshot`; `None` if it has no deadline.
    pub(crate) fn update(&mut self, snapshot: &PodSnapshot, now: Instant) -> Option<Instant> {
        let wait = self.classify(snapshot);
        self.current = wait.map(|wait| match self.current.take() {
            Some((before, since)) if before.is_same_state(&wait) => {
                (more_informative(before, wait), since)
            }
            _ => (wait, now),
        });
        let (wait, since) = self.current.as_ref()?;
        since.checked_add(match wait {
            Wait::Node(_) => self.queue_timeout,
            Wait::Image(_) => self.timeouts.image_pull,
            Wait::MissingObject(_) => self.timeouts.missing_object,
            Wait::Termination(_) => {
                let grace = snapshot.deletion_grace_seconds.unwrap_or_default();
                let grace = Duration::from_secs(u64::try_from(grace).unwrap_or_default());
                self.timeouts.lost_node + grace
            }
        })
    }

    /// Returns the current wait, and when it began.
    pub(crate) fn current(&self) -> Option<(&Wait, Instant)> {
        self.current.as_ref().map(|(wait, since)| (wait, *since))
    }

    /// Returns whether the Pod waits for a node.
    pub(crate) fn is_waiting_for_node(&self) -> bool {
        matches!(self.current, Some((Wait::Node(_), _)))
    }

    fn classify(&mut self, snapshot: &PodSnapshot) -> Option<Wait> {
        if snapshot.deletion_grace_seconds.is_some() {
            return Some(Wait::Termination(
                snapshot.disruption.clone().or(snapshot.failure.clone()),
            ));
        }
        if let (None, Some(message)) = (&snapshot.node, &snapshot.unschedulable) {
            return Some(Wait::Node(message.clone()));
        }
        match &snapshot.process {
            ProcessState::Waiting(reason) if is_image_pull_failure(&reason.code) => {
                Some(Wait::Image(reason.message.clone()))
            }
            ProcessState::Waiting(reason) if reason.code.starts_with("CreateContainer") => {
                Some(Wait::MissingObject(reason.message.clone()))
            }
            ProcessState::Waiting(_) | ProcessState::Unknown => {
                self.mount_failure.clone().map(Wait::MissingObject)
            }
            ProcessState::Running | ProcessState::Ended(_) => None,
        }
    }
}

/// Returns whether an event reports a missing object that the Pod names. All mount failures have the same reason code, so
/// this matches the kubelet's text.
pub(crate) fn is_missing_object(reason: &str, message: &str) -> bool {
    matches!(reason, "FailedMount" | "FailedAttachVolume") && message.contains("not found")
}

/// Returns whether the reason `code` means that the image can't be pulled.
fn is_image_pull_failure(code: &str) -> bool {
    const CODES: &[&str] = &[
        "ErrImagePull",
        "ErrImageNeverPull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
    ];
    CODES.contains(&code)
}

/// Returns the more informative message for one state: the cause of a failed pull, rather than its backoff.
fn more_informative(before: Wait, now: Wait) -> Wait {
    match (&before, &now) {
        (Wait::Image(cause), Wait::Image(now))
            if now.starts_with("Back-off") && !cause.is_empty() =>
        {
            before
        }
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn waiting(code: &str, message: &str) -> PodSnapshot {
        let reason = Reason { code: code.into(), message: message.into() };
        PodSnapshot {
            process: ProcessState::Waiting(reason),
            node: Some("n".into()),
            ..PodSnapshot::default()
        }
    }

    fn unschedulable(why: &str) -> PodSnapshot {
        PodSnapshot { unschedulable: Some(why.into()), ..PodSnapshot::default() }
    }

    fn waits() -> WaitTracker {
        WaitTracker::new(PodTimeouts::default(), 15 * MINUTE)
    }

    #[test]
    fn node_deadline_is_extended_by_a_scale_up() {
        let (mut waits, start) = (waits(), Instant::now());
        let seen = unschedulable("0/1 nodes are available: 1 Insufficient cpu.");
        assert_eq!(waits.update(&seen, start), Some(start + 15 * MINUTE));
        // A changed message doesn't extend the deadline.
        let seen = unschedulable("0/2 nodes are available");
        assert_eq!(waits.update(&seen, start + MINUTE), Some(start + 15 * MINUTE));
        waits.record_event("TriggeredScaleUp", "pod triggered scale-up: [..]", start + 14 * MINUTE);
        assert_eq!(waits.update(&seen, start + 15 * MINUTE), Some(start + 29 * MINUTE));
        let bound = PodSnapshot { node: Some("n".into()), ..seen };
        assert_eq!(waits.update(&bound, start + 20 * MINUTE), None);
    }

    #[test]
    fn image_pull_keeps_its_deadline_and_first_message() {
        let (mut waits, start) = (waits(), Instant::now());
        let request_error = waiting("ErrImagePull", "pull access denied");
        assert_eq!(waits.update(&request_error, start), Some(start + 2 * MINUTE));
        let later = waiting("ImagePullBackOff", "Back-off pulling image \"a\"");
        assert_eq!(waits.update(&later, start + MINUTE), Some(start + 2 * MINUTE));
        assert_eq!(waits.current().unwrap().0, &Wait::Image("pull access denied".into()));
        let running = PodSnapshot { process: ProcessState::Running, ..later };
        assert_eq!(waits.update(&running, start + MINUTE), None);
        assert!(waits.current().is_none());
    }

    #[test]
    fn missing_object_times_out_after_a_minute() {
        let (mut waits, start) = (waits(), Instant::now());
        let creating = waiting("ContainerCreating", "");
        assert_eq!(waits.update(&creating, start), None);
        waits.record_event("FailedMount", "Unable to attach: timed out waiting", start);
        assert_eq!(waits.update(&creating, start), None);
        waits.record_event("FailedMount", "secret \"gcp-key\" not found", start);
        assert_eq!(waits.update(&creating, start + MINUTE), Some(start + 2 * MINUTE));
        assert_eq!(
            waits.current().unwrap().0,
            &Wait::MissingObject("secret \"gcp-key\" not found".into())
        );
        let mut of_variable = super::tests::waits();
        let seen = waiting("CreateContainerConfigError", "configmap \"a\" not found");
        assert_eq!(of_variable.update(&seen, start), Some(start + MINUTE));
    }

    #[test]
    fn unreported_end_times_out_after_the_grace_period() {
        let (mut waits, start) = (waits(), Instant::now());
        let deleted = PodSnapshot {
            process: ProcessState::Running,
            deletion_grace_seconds: Some(25),
            ..PodSnapshot::default()
        };
        let until = start + Duration::from_secs(25) + MINUTE;
        assert_eq!(waits.update(&deleted, start), Some(until));
    }
}
