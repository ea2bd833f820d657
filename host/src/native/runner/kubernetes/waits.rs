//! What a Pod may wait for, and for how long: states with a grace, which may pass, and are no ends yet.

use std::time::Duration;

use tokio::time::Instant;

use super::seen::{ProcessState, Reason, Seen};

/// For how long what may pass is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Graces {
    /// An image that can't be pulled: 2 minutes.
    pub image: Duration,
    /// A secret, a claim or another thing that the Pod names and that isn't there: a minute.
    pub missing: Duration,
    /// An API server that is away: 5 minutes.
    pub server: Duration,
    /// A node that doesn't say that a Pod has ended, beyond the time that the Pod has for that: a
    /// minute.
    pub node: Duration,
}

impl Default for Graces {
    fn default() -> Self {
        Self {
            image: Duration::from_secs(120),
            missing: Duration::from_secs(60),
            server: Duration::from_secs(300),
            node: Duration::from_secs(60),
        }
    }
}

/// What keeps a Pod from going on, with what Kubernetes says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wait {
    /// No node takes it.
    Node(String),
    /// Its image can't be had.
    Image(String),
    /// Something that it names isn't there.
    Missing(String),
    /// It was to end, and its node doesn't say that it did.
    End(Option<Reason>),
}

impl Wait {
    /// Whether it is the same state, whatever is said of it.
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// What a Pod waits for now, and since when.
#[derive(Debug)]
pub(crate) struct Waits {
    graces: Graces,
    queue: Duration,
    now: Option<(Wait, Instant)>,
    /// What an event said last of something that can't be mounted.
    unmounted: Option<String>,
}

impl Waits {
    /// Of a Pod that may wait for a node for as long as `queue`.
    pub(crate) fn new(graces: Graces, queue: Duration) -> Self {
        Self { graces, queue, now: None, unmounted: None }
    }

    /// Takes an event's word: a cluster that adds nodes is waited for anew.
    pub(crate) fn hear(&mut self, reason: &str, message: &str, now: Instant) {
        match reason {
            "TriggeredScaleUp" => {
                if let Some((Wait::Node(_), since)) = &mut self.now {
                    *since = now;
                }
            }
            reason if is_missing(reason, message) => self.unmounted = Some(message.to_owned()),
            _ => {}
        }
    }

    /// Until when the state that is `seen` may last; none if it may forever.
    pub(crate) fn see(&mut self, seen: &Seen, now: Instant) -> Option<Instant> {
        let wait = self.wait(seen);
        self.now = wait.map(|wait| match self.now.take() {
            Some((before, since)) if before.is_like(&wait) => (better(before, wait), since),
            _ => (wait, now),
        });
        let (wait, since) = self.now.as_ref()?;
        since.checked_add(match wait {
            Wait::Node(_) => self.queue,
            Wait::Image(_) => self.graces.image,
            Wait::Missing(_) => self.graces.missing,
            Wait::End(_) => {
                let own = u64::try_from(seen.is_going.unwrap_or_default()).unwrap_or_default();
                self.graces.node + Duration::from_secs(own)
            }
        })
    }

    /// What it waits for, and since when.
    pub(crate) fn current(&self) -> Option<(&Wait, Instant)> {
        self.now.as_ref().map(|(wait, since)| (wait, *since))
    }

    /// Whether it waits for a node.
    pub(crate) fn is_for_node(&self) -> bool {
        matches!(self.now, Some((Wait::Node(_), _)))
    }

    fn wait(&mut self, seen: &Seen) -> Option<Wait> {
        if seen.is_going.is_some() {
            return Some(Wait::End(seen.disruption.clone().or(seen.failure.clone())));
        }
        if let (None, Some(message)) = (&seen.node, &seen.unschedulable) {
            return Some(Wait::Node(message.clone()));
        }
        match &seen.process {
            ProcessState::Waiting(reason) if is_of_image(&reason.word) => {
                Some(Wait::Image(reason.message.clone()))
            }
            ProcessState::Waiting(reason) if reason.word.starts_with("CreateContainer") => {
                Some(Wait::Missing(reason.message.clone()))
            }
            ProcessState::Waiting(_) | ProcessState::Unknown => {
                self.unmounted.clone().map(Wait::Missing)
            }
            ProcessState::Running | ProcessState::Ended(_) => None,
        }
    }
}

/// Whether an event says that something isn't there that the Pod names. The reason is the same for all
/// failures to mount, so that the kubelet's text decides.
pub(crate) fn is_missing(reason: &str, message: &str) -> bool {
    matches!(reason, "FailedMount" | "FailedAttachVolume") && message.contains("not found")
}

/// Whether Kubernetes' `word` says that an image can't be had.
fn is_of_image(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "ErrImagePull",
        "ErrImageNeverPull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
    ];
    WORDS.contains(&word)
}

/// Of two words on one state the one that tells more: that a pull is repeated later says nothing.
fn better(before: Wait, now: Wait) -> Wait {
    match (&before, &now) {
        (Wait::Image(said), Wait::Image(now))
            if now.starts_with("Back-off") && !said.is_empty() =>
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

    fn waiting(word: &str, message: &str) -> Seen {
        let reason = Reason { word: word.into(), message: message.into() };
        Seen { process: ProcessState::Waiting(reason), node: Some("n".into()), ..Seen::default() }
    }

    fn unschedulable(why: &str) -> Seen {
        Seen { unschedulable: Some(why.into()), ..Seen::default() }
    }

    fn waits() -> Waits {
        Waits::new(Graces::default(), 15 * MINUTE)
    }

    #[test]
    fn a_node_is_waited_for_and_longer_while_nodes_are_added() {
        let (mut waits, start) = (waits(), Instant::now());
        let seen = unschedulable("0/1 nodes are available: 1 Insufficient cpu.");
        assert_eq!(waits.see(&seen, start), Some(start + 15 * MINUTE));
        // What is said of it doesn't count, only that it goes on.
        let seen = unschedulable("0/2 nodes are available");
        assert_eq!(waits.see(&seen, start + MINUTE), Some(start + 15 * MINUTE));
        waits.hear("TriggeredScaleUp", "pod triggered scale-up: [..]", start + 14 * MINUTE);
        assert_eq!(waits.see(&seen, start + 15 * MINUTE), Some(start + 29 * MINUTE));
        let bound = Seen { node: Some("n".into()), ..seen };
        assert_eq!(waits.see(&bound, start + 20 * MINUTE), None);
    }

    #[test]
    fn an_image_is_waited_for_and_the_registrys_word_is_kept() {
        let (mut waits, start) = (waits(), Instant::now());
        let refused = waiting("ErrImagePull", "pull access denied");
        assert_eq!(waits.see(&refused, start), Some(start + 2 * MINUTE));
        let later = waiting("ImagePullBackOff", "Back-off pulling image \"a\"");
        assert_eq!(waits.see(&later, start + MINUTE), Some(start + 2 * MINUTE));
        assert_eq!(waits.current().unwrap().0, &Wait::Image("pull access denied".into()));
        let running = Seen { process: ProcessState::Running, ..later };
        assert_eq!(waits.see(&running, start + MINUTE), None);
        assert!(waits.current().is_none());
    }

    #[test]
    fn what_is_missing_is_waited_for_a_minute() {
        let (mut waits, start) = (waits(), Instant::now());
        let creating = waiting("ContainerCreating", "");
        assert_eq!(waits.see(&creating, start), None);
        waits.hear("FailedMount", "Unable to attach: timed out waiting", start);
        assert_eq!(waits.see(&creating, start), None);
        waits.hear("FailedMount", "secret \"gcp-key\" not found", start);
        assert_eq!(waits.see(&creating, start + MINUTE), Some(start + 2 * MINUTE));
        assert_eq!(
            waits.current().unwrap().0,
            &Wait::Missing("secret \"gcp-key\" not found".into())
        );
        let mut of_variable = super::tests::waits();
        let seen = waiting("CreateContainerConfigError", "configmap \"a\" not found");
        assert_eq!(of_variable.see(&seen, start), Some(start + MINUTE));
    }

    #[test]
    fn an_end_that_nobody_tells_of_is_waited_for_beyond_its_own_grace() {
        let (mut waits, start) = (waits(), Instant::now());
        let going = Seen { process: ProcessState::Running, is_going: Some(25), ..Seen::default() };
        let until = start + Duration::from_secs(25) + MINUTE;
        assert_eq!(waits.see(&going, start), Some(until));
    }
}
