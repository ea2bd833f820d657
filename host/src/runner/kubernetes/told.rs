//! What a person is told of a Pod while it goes its way: each step once, in the ancestor's words.

use std::collections::HashSet;

use super::events::Word;
use super::seen::{Exit, Process, Seen};
use crate::progress::STEP;

/// What was told so far.
#[derive(Debug)]
pub(crate) struct Told {
    pod: String,
    said: HashSet<String>,
}

impl Told {
    pub(crate) fn of(pod: &str) -> Self {
        Self { pod: pod.to_owned(), said: HashSet::new() }
    }

    /// Tells that the Pod was made.
    pub(crate) fn created(&mut self) {
        self.say(format!("created pod {}", self.pod));
    }

    /// Tells what is new in what was `seen`.
    pub(crate) fn see(&mut self, seen: &Seen) {
        self.lines(seen).into_iter().for_each(|line| self.say(line));
    }

    /// Tells what an event says, if it says more than what is seen.
    pub(crate) fn hear(&mut self, word: &Word) {
        let Word { reason, message } = word;
        match reason.as_str() {
            "Pulling" => self.say(format!("pod {}: {}", self.pod, lower(message))),
            "TriggeredScaleUp"
            | "NotTriggerScaleUp"
            | "FailedAttachVolume"
            | "FailedMount"
            | "FailedScheduling"
            | "WaitForFirstConsumer"
            | "Preempted"
            | "Evicted" => {
                self.say(format!("pod {}: {reason}: {}", self.pod, message.trim()));
            }
            _ => {}
        }
    }

    fn lines(&self, seen: &Seen) -> Vec<String> {
        let Self { pod, .. } = self;
        let mut lines = Vec::new();
        if let Some(node) = &seen.node {
            lines.push(format!("pod {pod} assigned to node {node}"));
        }
        match &seen.process {
            Process::Running => lines.push(format!("pod {pod} started")),
            Process::Ended(exit @ Exit { status, .. }) => {
                let ended = seen.ended.clone();
                let ended = ended.unwrap_or_else(|| format!("{status} of its hype-run"));
                lines.push(format!("pod {pod} exited with status {ended}"));
                if !exit.line().is_empty() {
                    lines.push(format!("got termination message: {}", exit.line()));
                }
            }
            Process::Unknown | Process::Waiting(_) => {}
        }
        lines
    }

    fn say(&mut self, line: String) {
        if self.said.insert(line.clone()) {
            tracing::info!(target: STEP, "{line}");
        }
    }
}

fn lower(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::kubernetes::seen::Reason;

    /// As the ancestor told it: created, assigned, exited, termination message.
    #[test]
    fn the_steps_of_a_pod() {
        let told = Told::of("hype-run-mymlbuw8-1");
        let line = "hype-outcome/2 gs://bucket/runs/hype-run-mymlbuw8/outcome 0d19\nsilent\n";
        let reason = Reason { word: "Completed".into(), message: line.into() };
        let exit = Exit { status: 0, reason, seconds: Some(1) };
        let ended = Seen {
            node: Some("gke-hype-test-default-pool-e1122946-fg9k".into()),
            process: Process::Ended(exit),
            ended: Some("Succeeded".into()),
            ..Seen::default()
        };
        let running = Seen { process: Process::Running, ended: None, ..ended.clone() };
        let steps = [told.lines(&Seen::default()), told.lines(&running), told.lines(&ended)];
        insta::assert_snapshot!(steps.concat().join("\n"));
    }

    #[test]
    fn each_step_is_told_once() {
        let mut told = Told::of("pod");
        told.created();
        let running = Seen { process: Process::Running, ..Seen::default() };
        for _ in 0..2 {
            told.see(&running);
            told.hear(&Word { reason: "Pulling".into(), message: "Pulling image \"a\"".into() });
            told.hear(&Word { reason: "Created".into(), message: "Created container".into() });
        }
        let mut said: Vec<_> = told.said.iter().map(String::as_str).collect();
        said.sort_unstable();
        assert_eq!(said, ["created pod pod", "pod pod started", "pod pod: pulling image \"a\""]);
    }
}
