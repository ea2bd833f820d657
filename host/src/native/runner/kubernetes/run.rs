//! Runs a Pod from its creation to its end.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::time::Instant;

use super::api_error::{ErrorClass, request_error};
use super::cluster::ConnectedCluster;
use super::end::PodEnd;
use super::events::{ClaimEvents, Events, PodEvents};
use super::log_reader::{LineCounts, LogError, LogReader, OnGap};
use super::pod_lifecycle::create_pod;
use super::pod_watch::{PodView, PodWatch, WatchedPod};
use super::reporter::PodReporter;
use super::snapshot::{PodSnapshot, ProcessState};
use super::waits::{PodTimeouts, WaitTracker};
use crate::error::{Error, Result};
use crate::run::log::Log;
use crate::runner::Process;
use crate::runner::namespace::Namespace;

/// The time that a Pod may take to start before its events are watched.
const EVENTS_DELAY: Duration = Duration::from_secs(2);

/// The initial and maximum delay before a log that has ended, failed or doesn't exist yet is requested again.
const LOG_DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// The maximum delay for a log that the server has always denied, as it does without permission.
const MAX_DENIED_LOG_DELAY: Duration = Duration::from_secs(60);

/// The initial delay before the remaining log is requested again.
const LOG_RETRY_DELAY: Duration = Duration::from_millis(200);

/// The time to wait for the remaining log after the container has ended.
const LOG_DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The cluster, watches and timeouts of a run.
pub(crate) struct RunContext<'a> {
    pub(crate) cluster: &'a ConnectedCluster,
    pub(crate) namespace: &'a Namespace,
    pub(crate) watch: &'a PodWatch,
    pub(crate) events: &'a Events,
    /// The claims of the Pod.
    pub(crate) claims: &'a [String],
    pub(crate) timeouts: PodTimeouts,
    /// The maximum time that the Pod may wait for a node.
    pub(crate) queue_timeout: Duration,
}

/// Creates `pod`, waits for its end and returns it.
pub(crate) async fn run(context: &RunContext<'_>, process: &Process, pod: Pod) -> Result<PodEnd> {
    let name = pod.name_any();
    let pods: Api<Pod> = context.cluster.api(context.namespace);
    let timeout = context.timeouts.unreachable_server;
    let watched = Arc::new(context.watch.subscribe(&name));
    // Subscribed before the creation, since a shared watch sends each event once.
    let events = context.events.of_pod(&name);
    let mut reporter = PodReporter::of(&name);
    let retry = context.cluster.retry(timeout);
    create_pod(pods.clone(), process, pod, Arc::clone(&watched), retry).await?;
    reporter.report_created();
    process.handover.done();
    let log_reader = LogReader::new(pods, &name, &process.log);
    let waits = WaitTracker::new(context.timeouts, context.queue_timeout);
    let log = &process.log;
    let claims = ClaimEvents::new(context.cluster.api(context.namespace), context.claims);
    let pod_run =
        PodRun { name: &name, watched: &watched, reporter, waits, outage_timeout: timeout, log };
    pod_run.wait_for_end(log_reader, events, claims).await
}

/// A created Pod, until its end.
struct PodRun<'a> {
    name: &'a str,
    watched: &'a WatchedPod,
    reporter: PodReporter,
    waits: WaitTracker,
    /// The maximum time that the API server may be unreachable.
    outage_timeout: Duration,
    log: &'a Log,
}

/// The next step after a check of the Pod's state.
enum Step {
    /// The Pod has ended.
    End(PodEnd),
    /// Wait for a change, until the deadline if there is one.
    Wait { deadline: Option<Instant>, is_started: bool },
}

impl PodRun<'_> {
    async fn wait_for_end(
        mut self,
        log_reader: LogReader,
        mut events: PodEvents,
        mut claims: ClaimEvents,
    ) -> Result<PodEnd> {
        let mut view = self.watched.view.clone();
        let phase = watch::Sender::new(Phase::Waiting);
        let lines = log_reader.lines();
        let mut copying: LogCopy = Box::pin(copy_log(log_reader, phase.subscribe()));
        let mut events_start = Some(Instant::now() + EVENTS_DELAY);
        loop {
            let now = view.borrow_and_update().clone();
            let (deadline, is_started) = match self.check(&now)? {
                Step::End(end) => {
                    if let PodEnd::Exited(exit, _) = &end
                        && !exit.is_silent()
                    {
                        let has_outcome = exit.has_outcome();
                        if exit.is_restart() {
                            self.truncate_log(&lines, "its container was started again");
                        } else {
                            phase.send_replace(Phase::Ended { has_outcome });
                            self.drain_log(copying, &lines, has_outcome).await;
                        }
                    }
                    break Ok(end);
                }
                Step::Wait { deadline, is_started } => (deadline, is_started),
            };
            if is_started {
                phase
                    .send_if_modified(|it| std::mem::replace(it, Phase::Running) != Phase::Running);
                events_start = None;
            }
            let is_without_node = self.waits.is_waiting_for_node();
            tokio::select! {
                // No error is possible, since `self` keeps the watch alive.
                _ = view.changed() => {}
                () = sleep_until(deadline) => {}
                () = sleep_until(events_start) => {
                    events.start();
                    events_start = None;
                }
                Some(event) = events.next() => {
                    self.waits.record_event(&event.reason, &event.message, Instant::now());
                    self.reporter.report_event(&event);
                }
                events = claims.poll(), if is_without_node => {
                    self.reporter.report_claim_events(events);
                }
                // It only completes after the phase `Ended`.
                _ = &mut copying => {}
            }
        }
    }

    /// Waits for the remaining log. If it can't be read, an outcome may have it.
    async fn drain_log(&self, remaining: LogCopy, lines: &LineCounts, has_outcome: bool) {
        let why = match tokio::time::timeout(LOG_DRAIN_TIMEOUT, remaining).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it took longer than {LOG_DRAIN_TIMEOUT:?}"),
        };
        if has_outcome {
            self.truncate_log(lines, &why);
        } else {
            tracing::warn!(
                "pod {} has ended, and the rest of its log is not available: {why}",
                self.name
            );
        }
    }

    /// Marks the log as truncated, so that the missing lines are read from the stage.
    fn truncate_log(&self, lines: &LineCounts, why: &str) {
        let pod = self.name;
        tracing::info!("the log of pod {pod} cannot be read, and is taken from the stage: {why}");
        let [stdout, stderr] = lines.counts();
        self.log.mark_truncated(stdout, stderr);
    }

    /// Reports the Pod's state and decides the next step.
    fn check(&mut self, view: &PodView) -> Result<Step> {
        let now = Instant::now();
        if let Some(end) = self.ended(view) {
            return Ok(Step::End(end));
        }
        if let Some((since, error)) = &view.outage {
            let is_transient = ErrorClass::of(error) == ErrorClass::Transient;
            let deadline = *since + self.outage_timeout;
            // A restarted server may deny requests for some seconds.
            let may_recover = is_transient || view.pod.is_some();
            return match (may_recover && now < deadline, is_transient) {
                (true, _) => Ok(Step::Wait { deadline: Some(deadline), is_started: false }),
                (false, true) => Ok(Step::End(PodEnd::Unreachable(self.outage_timeout))),
                (false, false) => Err(self.watch_error(error)),
            };
        }
        let Some(snapshot) = view.pod.as_deref().map(PodSnapshot::of) else {
            return Ok(Step::Wait { deadline: None, is_started: false });
        };
        self.reporter.report_snapshot(&snapshot);
        let deadline = self.waits.update(&snapshot, now);
        if let (Some(deadline), Some((wait, since))) = (deadline, self.waits.current())
            && now >= deadline
        {
            return Ok(Step::End(PodEnd::Stuck(wait.clone(), deadline - since)));
        }
        if let Some((wait, _)) = self.waits.current() {
            self.reporter.report_wait(wait, deadline.map(|deadline| deadline - now));
        }
        let is_started = snapshot.process == ProcessState::Running;
        Ok(Step::Wait { deadline, is_started })
    }

    fn ended(&mut self, view: &PodView) -> Option<PodEnd> {
        let snapshot = view.pod.as_deref().map(PodSnapshot::of).unwrap_or_default();
        let end = PodEnd::of(self.name, &snapshot, view.is_deleted)?;
        self.reporter.report_snapshot(&snapshot);
        Some(end)
    }

    fn watch_error(&self, error: &kube::Error) -> Error {
        let message = format!("cannot watch pod {}", self.name);
        match error {
            kube::Error::Api(status) => request_error(message, kube::Error::Api(status.clone())),
            error => Error::runner(message, error.to_string()),
        }
    }
}

/// Copies a container's log until its end.
type LogCopy = Pin<Box<dyn Future<Output = std::result::Result<(), LogError>> + Send>>;

/// The phase of a container, for the reader of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Running,
    Ended { has_outcome: bool },
}

/// Copies the log while the container runs, and then the remaining lines.
///
/// Requests for logs delay the reports of a busy node. So the first one waits for a quarter of the time that the Pod took
/// to start, up to a second.
async fn copy_log(
    mut log_reader: LogReader,
    mut phase: watch::Receiver<Phase>,
) -> std::result::Result<(), LogError> {
    let (created, mut delay, mut is_finished, mut is_reported) =
        (Instant::now(), None, false, false);
    loop {
        let is_next = |phase: &Phase| match phase {
            Phase::Waiting => false,
            Phase::Running => !is_finished,
            Phase::Ended { .. } => true,
        };
        // An error means that the run was dropped.
        let Ok(now) = phase.wait_for(is_next).await.map(|now| *now) else {
            return std::future::pending().await;
        };
        if let Phase::Ended { has_outcome } = now {
            return copy_remaining(&mut log_reader, has_outcome).await;
        }
        let waited = delay.unwrap_or_else(|| (created.elapsed() / 4).min(LOG_DELAYS.0));
        let ended = phase.wait_for(|phase| matches!(phase, Phase::Ended { .. }));
        if tokio::time::timeout(waited, ended).await.is_ok() {
            continue;
        }
        let lines = log_reader.lines().counts();
        tokio::select! {
            result = log_reader.follow() => match result {
                Err(LogError::Gap) => {
                    tracing::warn!("the rest of the closure's log comes once it has ended: {}", LogError::Gap);
                    is_finished = true;
                }
                Err(error) if error.is_denied() => {
                    if !std::mem::replace(&mut is_reported, true) {
                        tracing::warn!("the log of the closure cannot be read now, and is requested again: {error}");
                    }
                    let max_delay = if log_reader.was_available() { LOG_DELAYS.1 } else { MAX_DENIED_LOG_DELAY };
                    delay = Some((waited * 2).clamp(LOG_DELAYS.0, max_delay));
                }
                // The stream has ended with the container, or failed.
                _ => {
                    is_reported = false;
                    let is_new = log_reader.lines().counts() != lines;
                    delay = Some(if is_new { LOG_DELAYS.0 } else { (waited * 2).clamp(LOG_DELAYS.0, LOG_DELAYS.1) });
                }
            },
            _ = phase.changed() => {}
        }
    }
}

/// Copies the remaining log of an ended container.
///
/// Retries once. If no outcome has the log and it was available before, retries until the caller's timeout.
async fn copy_remaining(
    log_reader: &mut LogReader,
    has_outcome: bool,
) -> std::result::Result<(), LogError> {
    let on_gap = if has_outcome { OnGap::Stop } else { OnGap::Continue };
    let mut delay = LOG_RETRY_DELAY;
    for is_last in std::iter::once(false).chain(std::iter::repeat(true)) {
        match log_reader.finish(on_gap).await {
            Err(error) if is_last && (has_outcome || !log_reader.was_available()) => {
                return Err(error);
            }
            Err(_) => {}
            Ok(()) => break,
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(LOG_DELAYS.0);
    }
    Ok(())
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
