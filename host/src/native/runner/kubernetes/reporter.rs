//! Progress messages about a Pod, each once, with the same text as in hype for Java.

use std::collections::HashSet;
use std::time::Duration;

use super::events::EventNote;
use super::snapshot::{Exit, PodSnapshot, ProcessState, Reason, describe_reason};
use super::waits::{Wait, is_missing_object};
use crate::progress::STEP;

/// Reports the progress of a Pod, and remembers what it has reported.
#[derive(Debug)]
pub(crate) struct PodReporter {
    pod: String,
    reported: HashSet<String>,
}

impl PodReporter {
    pub(crate) fn of(pod: &str) -> Self {
        Self { pod: pod.to_owned(), reported: HashSet::new() }
    }

    /// Reports that the Pod was created.
    pub(crate) fn report_created(&mut self) {
        self.report(format!("created pod {}", self.pod));
    }

    /// Reports what is new in `snapshot`.
    pub(crate) fn report_snapshot(&mut self, snapshot: &PodSnapshot) {
        self.lines(snapshot).into_iter().for_each(|line| self.report(line));
    }

    /// Warns of the cause that delays the Pod and of the remaining timeout, once for each cause.
    pub(crate) fn report_wait(&mut self, wait: &Wait, left: Option<Duration>) {
        let (message, awaited) = self.wait_message(wait);
        // Messages about images contain changing numbers, such as ports.
        let key = match wait {
            Wait::Image(_) => message.replace(|c: char| c.is_ascii_digit(), ""),
            _ => message.clone(),
        };
        if self.reported.insert(key) {
            let up_to = left.map_or_else(String::new, |left| format!("up to {} ", brief(left)));
            tracing::warn!("{message}; waiting {up_to}for {awaited}");
        }
    }

    /// Returns the message about a wait, and what the Pod waits for.
    fn wait_message(&self, wait: &Wait) -> (String, &'static str) {
        let Self { pod, .. } = self;
        match wait {
            Wait::Node(why) => (format!("pod {pod} has no node: {}", line(why)), "one"),
            Wait::Image(why) => (format!("pod {pod} cannot get its image: {}", line(why)), "it"),
            Wait::MissingObject(why) => {
                (format!("pod {pod} lacks what it names: {}", line(why)), "it")
            }
            Wait::Termination(None) => (format!("pod {pod} is being deleted"), "its end"),
            Wait::Termination(Some(Reason { code, message })) => {
                (format!("pod {pod} {}", line(&describe_reason(code, message))), "its end")
            }
        }
    }

    /// Warns of events about claims, each once.
    pub(crate) fn report_claim_events(&mut self, events: Vec<String>) {
        for event in events {
            let message = format!("pod {} waits for {}", self.pod, line(&event));
            if self.reported.insert(message.clone()) {
                tracing::warn!("{message}");
            }
        }
    }

    /// Reports an event, if it adds something to the Pod's status.
    pub(crate) fn report_event(&mut self, event: &EventNote) {
        let EventNote { reason, message } = event;
        match reason.as_str() {
            // `report_wait` reports it.
            reason if is_missing_object(reason, message) => {}
            "Pulling" => self.report(format!("pod {}: {}", self.pod, lower(message))),
            "TriggeredScaleUp"
            | "NotTriggerScaleUp"
            | "FailedAttachVolume"
            | "FailedMount"
            | "WaitForFirstConsumer"
            | "Preempted"
            | "Evicted" => {
                self.report(format!("pod {}: {reason}: {}", self.pod, message.trim()));
            }
            _ => {}
        }
    }

    fn lines(&self, snapshot: &PodSnapshot) -> Vec<String> {
        let Self { pod, .. } = self;
        let mut lines = Vec::new();
        if let Some(node) = &snapshot.node {
            lines.push(format!("pod {pod} assigned to node {node}"));
        }
        match &snapshot.process {
            ProcessState::Running => lines.push(format!("pod {pod} started")),
            ProcessState::Ended(exit @ Exit { status, .. }) => {
                let phase = snapshot.final_phase.clone();
                let phase = phase.unwrap_or_else(|| format!("{status} of its hype-run"));
                lines.push(format!("pod {pod} exited with status {phase}"));
                if !exit.line().is_empty() {
                    lines.push(format!("got termination message: {}", exit.line()));
                }
            }
            ProcessState::Unknown | ProcessState::Waiting(_) => {}
        }
        lines
    }

    fn report(&mut self, line: String) {
        if self.reported.insert(line.clone()) {
            tracing::info!(target: STEP, "{line}");
        }
    }
}

/// Joins the lines of a message.
fn line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Formats a duration: `118 s`, `14 min`.
fn brief(time: Duration) -> String {
    match time.as_secs_f64().ceil() as u64 {
        seconds if seconds < 180 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

fn lower(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same steps as in hype for Java: created, assigned, exited, termination message.
    #[test]
    fn reporter_reports_the_steps_of_a_pod() {
        let reporter = PodReporter::of("hype-run-mymlbuw8-1");
        let line = "hype-outcome/2 gs://bucket/runs/hype-run-mymlbuw8/outcome 0d19\nsilent\n";
        let reason = Reason { code: "Completed".into(), message: line.into() };
        let exit = Exit { status: 0, reason, seconds: Some(1) };
        let ended = PodSnapshot {
            node: Some("gke-hype-test-default-pool-e1122946-fg9k".into()),
            process: ProcessState::Ended(exit),
            final_phase: Some("Succeeded".into()),
            ..PodSnapshot::default()
        };
        let running =
            PodSnapshot { process: ProcessState::Running, final_phase: None, ..ended.clone() };
        let steps = [
            reporter.lines(&PodSnapshot::default()),
            reporter.lines(&running),
            reporter.lines(&ended),
        ];
        insta::assert_snapshot!(steps.concat().join("\n"));
    }

    #[test]
    fn wait_is_reported_once_and_again_when_its_cause_changes() {
        let mut reporter = PodReporter::of("pod");
        let image = |port: u32| Wait::Image(format!("dial tcp 10.0.0.1:{port}: refused"));
        let node = |count: u32| Wait::Node(format!("0/{count} nodes are available"));
        for wait in [image(1), image(2), node(1), node(1), node(2), node(1)] {
            reporter.report_wait(&wait, Some(Duration::from_secs(118)));
        }
        assert_eq!(reporter.reported.len(), 3, "{:?}", reporter.reported);
    }

    #[test]
    fn wait_message_is_a_sentence() {
        let reporter = PodReporter::of("pod");
        let reason =
            || Reason { code: "Evicted".into(), message: "The node was low on memory.".into() };
        let waits = [
            Wait::Node("0/1 nodes are available: 1 Insufficient cpu.".into()),
            Wait::Image("rpc error:\n not found".into()),
            Wait::MissingObject("secret \"gcp-key\" not found".into()),
            Wait::Termination(None),
            Wait::Termination(Some(reason())),
        ];
        let lines = waits.iter().map(|wait| reporter.wait_message(wait));
        let lines: Vec<_> =
            lines.map(|(message, awaited)| format!("{message}; waiting for {awaited}")).collect();
        assert_eq!(
            lines,
            [
                "pod pod has no node: 0/1 nodes are available: 1 Insufficient cpu.; waiting for one",
                "pod pod cannot get its image: rpc error: not found; waiting for it",
                "pod pod lacks what it names: secret \"gcp-key\" not found; waiting for it",
                "pod pod is being deleted; waiting for its end",
                "pod pod was evicted (Evicted): The node was low on memory.; waiting for its end",
            ]
        );
        assert_eq!(brief(Duration::from_millis(117_500)), "118 s");
        assert_eq!(brief(Duration::from_secs(899)), "14 min");
    }

    #[test]
    fn each_step_is_reported_once() {
        let mut reporter = PodReporter::of("pod");
        reporter.report_created();
        let running = PodSnapshot { process: ProcessState::Running, ..PodSnapshot::default() };
        for _ in 0..2 {
            reporter.report_snapshot(&running);
            reporter.report_event(&EventNote {
                reason: "Pulling".into(),
                message: "Pulling image \"a\"".into(),
            });
            reporter.report_event(&EventNote {
                reason: "Created".into(),
                message: "Created container".into(),
            });
        }
        let mut reported: Vec<_> = reporter.reported.iter().map(String::as_str).collect();
        reported.sort_unstable();
        assert_eq!(
            reported,
            ["created pod pod", "pod pod started", "pod pod: pulling image \"a\""]
        );
    }
}
