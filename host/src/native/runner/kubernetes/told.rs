//! What a person is told of a Pod while it goes its way: each step once, in the ancestor's words.

use std::collections::HashSet;
use std::time::Duration;

use super::events::Word;
use super::seen::{Exit, ProcessState, Reason, Seen, befell};
use super::waits::{Wait, is_missing};
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

    /// Tells what keeps the Pod from going on, and for how much longer that is waited for: once, and again when it is
    /// something else.
    pub(crate) fn wait(&mut self, wait: &Wait, left: Option<Duration>) {
        let (news, what) = self.news(wait);
        // What is said of an image has numbers that differ each time, such as ports.
        let key = match wait {
            Wait::Image(_) => news.replace(|c: char| c.is_ascii_digit(), ""),
            _ => news.clone(),
        };
        if self.said.insert(key) {
            let up_to = left.map_or_else(String::new, |left| format!("up to {} ", brief(left)));
            tracing::warn!("{news}; waiting {up_to}for {what}");
        }
    }

    /// What is news about a wait, and what is waited for.
    fn news(&self, wait: &Wait) -> (String, &'static str) {
        let Self { pod, .. } = self;
        match wait {
            Wait::Node(why) => (format!("pod {pod} has no node: {}", line(why)), "one"),
            Wait::Image(why) => (format!("pod {pod} cannot get its image: {}", line(why)), "it"),
            Wait::Missing(why) => (format!("pod {pod} lacks what it names: {}", line(why)), "it"),
            Wait::End(None) => (format!("pod {pod} is being deleted"), "its end"),
            Wait::End(Some(Reason { word, message })) => {
                (format!("pod {pod} {}", line(&befell(word, message))), "its end")
            }
        }
    }

    /// Tells what is said of claims, each once.
    pub(crate) fn claims(&mut self, news: Vec<String>) {
        for news in news {
            let news = format!("pod {} waits for {}", self.pod, line(&news));
            if self.said.insert(news.clone()) {
                tracing::warn!("{news}");
            }
        }
    }

    /// Tells what an event says, if it says more than what is seen.
    pub(crate) fn hear(&mut self, word: &Word) {
        let Word { reason, message } = word;
        match reason.as_str() {
            // It is told as what the Pod waits for.
            reason if is_missing(reason, message) => {}
            "Pulling" => self.say(format!("pod {}: {}", self.pod, lower(message))),
            "TriggeredScaleUp"
            | "NotTriggerScaleUp"
            | "FailedAttachVolume"
            | "FailedMount"
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
            ProcessState::Running => lines.push(format!("pod {pod} started")),
            ProcessState::Ended(exit @ Exit { status, .. }) => {
                let ended = seen.ended.clone();
                let ended = ended.unwrap_or_else(|| format!("{status} of its hype-run"));
                lines.push(format!("pod {pod} exited with status {ended}"));
                if !exit.line().is_empty() {
                    lines.push(format!("got termination message: {}", exit.line()));
                }
            }
            ProcessState::Unknown | ProcessState::Waiting(_) => {}
        }
        lines
    }

    fn say(&mut self, line: String) {
        if self.said.insert(line.clone()) {
            tracing::info!(target: STEP, "{line}");
        }
    }
}

/// A message of several lines as one.
fn line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A time as a person says it: `118 s`, `14 min`.
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
    /// As the ancestor told it: created, assigned, exited, termination message.
    #[test]
    fn the_steps_of_a_pod() {
        let told = Told::of("hype-run-mymlbuw8-1");
        let line = "hype-outcome/2 gs://bucket/runs/hype-run-mymlbuw8/outcome 0d19\nsilent\n";
        let reason = Reason { word: "Completed".into(), message: line.into() };
        let exit = Exit { status: 0, reason, seconds: Some(1) };
        let ended = Seen {
            node: Some("gke-hype-test-default-pool-e1122946-fg9k".into()),
            process: ProcessState::Ended(exit),
            ended: Some("Succeeded".into()),
            ..Seen::default()
        };
        let running = Seen { process: ProcessState::Running, ended: None, ..ended.clone() };
        let steps = [told.lines(&Seen::default()), told.lines(&running), told.lines(&ended)];
        insta::assert_snapshot!(steps.concat().join("\n"));
    }

    #[test]
    fn what_is_waited_for_is_told_once_and_again_when_it_changes() {
        let mut told = Told::of("pod");
        let image = |port: u32| Wait::Image(format!("dial tcp 10.0.0.1:{port}: refused"));
        let node = |count: u32| Wait::Node(format!("0/{count} nodes are available"));
        for wait in [image(1), image(2), node(1), node(1), node(2), node(1)] {
            told.wait(&wait, Some(Duration::from_secs(118)));
        }
        assert_eq!(told.said.len(), 3, "{:?}", told.said);
    }

    #[test]
    fn what_is_waited_for_reads_as_a_sentence() {
        let told = Told::of("pod");
        let reason =
            || Reason { word: "Evicted".into(), message: "The node was low on memory.".into() };
        let waits = [
            Wait::Node("0/1 nodes are available: 1 Insufficient cpu.".into()),
            Wait::Image("rpc error:\n not found".into()),
            Wait::Missing("secret \"gcp-key\" not found".into()),
            Wait::End(None),
            Wait::End(Some(reason())),
        ];
        let lines = waits.iter().map(|wait| told.news(wait));
        let lines: Vec<_> =
            lines.map(|(news, what)| format!("{news}; waiting for {what}")).collect();
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
    fn each_step_is_told_once() {
        let mut told = Told::of("pod");
        told.created();
        let running = Seen { process: ProcessState::Running, ..Seen::default() };
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
