//! From an attempt to the end of its Pod.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::time::Instant;

use super::cluster::Reached;
use super::end::End;
use super::events::{ClaimNews, Events, Words};
use super::making::make_pod;
use super::output::{AtGap, Broken, Lines, Output};
use super::refusal::{Trouble, refused};
use super::seen::{ProcessState, Seen};
use super::told::Told;
use super::waits::{Graces, Waits};
use super::watching::{View, Watch, Watched};
use crate::error::{Error, Result};
use crate::run::log::Log;
use crate::runner::Process;

/// How long a Pod may take to start before it is asked why it doesn't.
const EVENTS_AFTER: Duration = Duration::from_secs(2);

/// How long to wait before a log that has ended, broke off or isn't there yet is followed again, at first and at the
/// most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// How long to wait at the most where the server has refused the log from the beginning, as it does where we may not
/// read it at all.
const REFUSED: Duration = Duration::from_secs(60);

/// How long to wait before the rest of a log is asked for again, at first.
const AGAIN: Duration = Duration::from_millis(200);

/// How long the rest of a log is waited for once its container has ended.
const REST: Duration = Duration::from_secs(10);

/// Where and how an attempt is made.
pub(crate) struct Place<'a> {
    pub(crate) reached: &'a Reached,
    pub(crate) namespace: &'a str,
    pub(crate) watch: &'a Watch,
    pub(crate) events: &'a Events,
    /// The claims of the Pod.
    pub(crate) claims: &'a [String],
    pub(crate) graces: Graces,
    /// How long the Pod may wait for a node.
    pub(crate) queue: Duration,
}

/// Makes `pod`, waits for its end and says what that was.
pub(crate) async fn run(place: &Place<'_>, process: &Process, pod: Pod) -> Result<End> {
    let name = pod.name_any();
    let pods: Api<Pod> = place.reached.api(place.namespace);
    let patience = place.graces.server;
    let watched = Arc::new(place.watch.watch(&name));
    // A watch that others began tells nothing twice.
    let words = place.events.of_pod(&name);
    let mut told = Told::of(&name);
    let asking = (Arc::clone(&watched), place.reached.patience(patience));
    make_pod(pods.clone(), process, pod, asking).await?;
    told.created();
    process.handover.done();
    let output = Output::new(pods, &name, &process.log);
    let waits = Waits::new(place.graces, place.queue);
    let log = &process.log;
    let claims = ClaimNews::new(place.reached.api(place.namespace), place.claims);
    let followed = Followed { name: &name, watched: &watched, told, waits, patience, log };
    followed.follow(output, words, claims).await
}

/// A Pod on its way.
struct Followed<'a> {
    name: &'a str,
    watched: &'a Watched,
    told: Told,
    waits: Waits,
    /// How long the server may be away.
    patience: Duration,
    log: &'a Log,
}

/// What is to be done after a look at a Pod.
enum Step {
    End(End),
    /// Wait for news until then, if there is a bound.
    Wait(Option<Instant>, bool),
}

impl Followed<'_> {
    async fn follow(
        mut self,
        output: Output,
        mut words: Words,
        mut claims: ClaimNews,
    ) -> Result<End> {
        let mut view = self.watched.view.clone();
        let running = watch::Sender::new(Phase::Before);
        let lines = output.lines();
        let mut writing: Writing = Box::pin(write(output, running.subscribe()));
        let mut asked = Some(Instant::now() + EVENTS_AFTER);
        loop {
            let now = view.borrow_and_update().clone();
            let (until, is_started) = match self.look(&now)? {
                Step::End(end) => {
                    if let End::Exited(exit, _) = &end
                        && !exit.is_silent()
                    {
                        let has_outcome = exit.has_outcome();
                        if exit.is_of_later_start() {
                            self.cut(&lines, "its container was started again");
                        } else {
                            running.send_replace(Phase::Ended { has_outcome });
                            self.finish(writing, &lines, has_outcome).await;
                        }
                    }
                    break Ok(end);
                }
                Step::Wait(until, is_started) => (until, is_started),
            };
            if is_started {
                running.send_if_modified(|it| std::mem::replace(it, Phase::Runs) != Phase::Runs);
                asked = None;
            }
            let is_without_node = self.waits.is_for_node();
            tokio::select! {
                // An error can't be: the watch is ours.
                _ = view.changed() => {}
                () = at(until) => {}
                () = at(asked) => {
                    words.ask();
                    asked = None;
                }
                Some(word) = words.next() => {
                    self.waits.hear(&word.reason, &word.message, Instant::now());
                    self.told.hear(&word);
                }
                news = claims.next(), if is_without_node => self.told.claims(news),
                // It goes on until it is told that the container ended.
                _ = &mut writing => {}
            }
        }
    }

    /// Waits for the rest of what was written; where that can't be read, an outcome may have it.
    async fn finish(&self, rest: Writing, lines: &Lines, has_outcome: bool) {
        let why = match tokio::time::timeout(REST, rest).await {
            Ok(Ok(())) => return,
            Ok(Err(broken)) => broken.to_string(),
            Err(_) => format!("it took longer than {REST:?}"),
        };
        if has_outcome {
            self.cut(lines, &why);
        } else {
            tracing::warn!(
                "pod {} has ended, and the rest of its log cannot be had: {why}",
                self.name
            );
        }
    }

    /// Has the lines that are missing taken from the stage.
    fn cut(&self, lines: &Lines, why: &str) {
        let pod = self.name;
        tracing::info!("the log of pod {pod} cannot be read, and is taken from the stage: {why}");
        let [stdout, stderr] = lines.counts();
        self.log.mark_truncated(stdout, stderr);
    }

    fn look(&mut self, view: &View) -> Result<Step> {
        let now = Instant::now();
        if let Some(end) = self.ended(view) {
            return Ok(Step::End(end));
        }
        if let Some((since, error)) = &view.trouble {
            let (is_away, until) = (Trouble::of(error) == Trouble::Away, *since + self.patience);
            // A server that has just come back doesn't know yet who may do what.
            let may_pass = is_away || view.pod.is_some();
            return match (may_pass && now < until, is_away) {
                (true, _) => Ok(Step::Wait(Some(until), false)),
                (false, true) => Ok(Step::End(End::Away(self.patience))),
                (false, false) => Err(self.unseen(error)),
            };
        }
        let Some(seen) = view.pod.as_deref().map(Seen::of) else {
            return Ok(Step::Wait(None, false));
        };
        self.told.see(&seen);
        let until = self.waits.see(&seen, now);
        if let (Some(until), Some((wait, since))) = (until, self.waits.current())
            && now >= until
        {
            return Ok(Step::End(End::Stuck(wait.clone(), until - since)));
        }
        if let Some((wait, _)) = self.waits.current() {
            self.told.wait(wait, until.map(|until| until - now));
        }
        Ok(Step::Wait(until, seen.process == ProcessState::Running))
    }

    fn ended(&mut self, view: &View) -> Option<End> {
        let seen = view.pod.as_deref().map(Seen::of).unwrap_or_default();
        let end = End::of(self.name, &seen, view.is_gone)?;
        self.told.see(&seen);
        Some(end)
    }

    fn unseen(&self, error: &kube::Error) -> Error {
        let message = format!("cannot watch pod {}", self.name);
        match error {
            kube::Error::Api(status) => refused(message, kube::Error::Api(status.clone())),
            error => Error::runner(message, error.to_string()),
        }
    }
}

/// Hands on what a container writes, to the end of its log.
type Writing = Pin<Box<dyn Future<Output = std::result::Result<(), Broken>> + Send>>;

/// How far a container is, for who reads its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    Runs,
    Ended { has_outcome: bool },
}

/// Hands on what the container writes while it runs, and then the rest.
///
/// A node that is busy tells seconds later that a container has ended, and is asked for a log with some care: first
/// after a quarter of the time that it took to start the Pod, if that is less than a second.
async fn write(
    mut output: Output,
    mut phase: watch::Receiver<Phase>,
) -> std::result::Result<(), Broken> {
    let (made, mut pause, mut is_over, mut is_told) = (Instant::now(), None, false, false);
    loop {
        let is_next = |phase: &Phase| match phase {
            Phase::Before => false,
            Phase::Runs => !is_over,
            Phase::Ended { .. } => true,
        };
        // An error says that the run is gone.
        let Ok(now) = phase.wait_for(is_next).await.map(|now| *now) else {
            return std::future::pending().await;
        };
        if let Phase::Ended { has_outcome } = now {
            return write_rest(&mut output, has_outcome).await;
        }
        let waited = pause.unwrap_or_else(|| (made.elapsed() / 4).min(PAUSES.0));
        let ended = phase.wait_for(|phase| matches!(phase, Phase::Ended { .. }));
        if tokio::time::timeout(waited, ended).await.is_ok() {
            continue;
        }
        let lines = output.lines().counts();
        tokio::select! {
            followed = output.follow() => match followed {
                Err(Broken::Gap) => {
                    tracing::warn!("the rest of the closure's log comes once it has ended: {}", Broken::Gap);
                    is_over = true;
                }
                Err(broken) if broken.is_refused() => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!("the log of the closure cannot be read now, and is asked for again: {broken}");
                    }
                    let longest = if output.was_given() { PAUSES.1 } else { REFUSED };
                    pause = Some((waited * 2).clamp(PAUSES.0, longest));
                }
                // It ends with the container, or breaks off.
                _ => {
                    is_told = false;
                    let is_new = output.lines().counts() != lines;
                    pause = Some(if is_new { PAUSES.0 } else { (waited * 2).clamp(PAUSES.0, PAUSES.1) });
                }
            },
            _ = phase.changed() => {}
        }
    }
}

/// Hands on the rest of the log of a container that has ended.
///
/// What breaks off may be had at the second try. A log that was given before and that no outcome carries is asked
/// for again for as long as the caller waits.
async fn write_rest(output: &mut Output, has_outcome: bool) -> std::result::Result<(), Broken> {
    let at_gap = if has_outcome { AtGap::Stop } else { AtGap::GoOn };
    let mut pause = AGAIN;
    for is_last in std::iter::once(false).chain(std::iter::repeat(true)) {
        match output.finish(at_gap).await {
            Err(broken) if is_last && (has_outcome || !output.was_given()) => return Err(broken),
            Err(_) => {}
            Ok(()) => break,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.0);
    }
    Ok(())
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
