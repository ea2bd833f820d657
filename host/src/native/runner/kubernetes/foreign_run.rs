//! Logs and failures of runs that another process started.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, ResourceExt};

use super::cluster::none_if_missing;
use super::end::{EndedPod, PodEnd};
use super::leftovers::{Leftovers, has_ended};
use super::log_reader::{LineCounts, LogError, LogReader, OnGap};
use super::pod::memory_limit;
use super::search::RunSearch;
use super::snapshot::{PodSnapshot, ProcessState};
use crate::environment::pod_base::{self, CONTAINER};
use crate::error::{Error, Result};
use crate::run::log::Log;
use crate::runner::ProcessInfo;

/// The initial and maximum delay between two requests for the Pod or its log.
const DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// The number of log lines in the error of a Pod that wrote no outcome.
const LAST_LINES: i64 = 5;

/// Marks a log as truncated after the counted lines when it is dropped.
struct TruncateOnDrop<'a>(&'a Log, LineCounts);

impl Drop for TruncateOnDrop<'_> {
    fn drop(&mut self) {
        let [stdout, stderr] = self.1.counts();
        self.0.mark_truncated(stdout, stderr);
    }
}

/// Copies the log of an attempt's Pod to `log`, until its end.
pub(super) async fn follow(
    leftovers: &Leftovers<'_>,
    search: &RunSearch,
    run_and_attempt: (&str, u32),
    log: &Log,
) {
    let mut pause = DELAYS.0;
    let (pods, pod) = loop {
        match pod_of(leftovers, search, run_and_attempt).await {
            Ok(Some(found)) => break found,
            Ok(None) => return log.mark_truncated(0, 0),
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(DELAYS.1);
    };
    let name = pod.name_any();
    let mut output = LogReader::new(pods.clone(), &name, log);
    let lines = output.lines();
    let _truncate = TruncateOnDrop(log, lines.clone());
    loop {
        let Ok(pod) = none_if_missing(leftovers.retry.run(|| pods.get(&name)).await) else {
            tokio::time::sleep(pause).await;
            continue;
        };
        let Some(pod) = pod.filter(|pod| !is_restart(pod)) else { return };
        let (before, has_ended) = (lines.counts(), has_ended(&pod));
        let copied = match has_ended {
            true => output.finish(OnGap::Stop).await,
            false => output.follow().await,
        };
        match copied {
            Ok(()) if has_ended => return,
            Err(LogError::Gap) => return,
            _ if lines.counts() != before => pause = DELAYS.0,
            _ => pause = (pause * 2).min(DELAYS.1),
        }
        tokio::time::sleep(pause).await;
    }
}

/// Copies the existing lines of the log of an attempt's Pod to `log`.
pub(super) async fn copy_existing(
    leftovers: &Leftovers<'_>,
    search: &RunSearch,
    run_and_attempt: (&str, u32),
    log: &Log,
) {
    let Ok(Some((pods, pod))) = pod_of(leftovers, search, run_and_attempt).await else {
        return log.mark_truncated(0, 0);
    };
    let mut output = LogReader::new(pods, &pod.name_any(), log);
    let _truncate = TruncateOnDrop(log, output.lines());
    if !is_restart(&pod) {
        // The outcome has the lines after an interruption.
        let _ = output.finish(OnGap::Stop).await;
    }
}

/// Returns the reason why the run wrote no outcome, from the state of its last Pod; `None` if that is unknown.
pub(super) async fn failure(
    leftovers: &Leftovers<'_>,
    search: &RunSearch,
    run_id: &str,
) -> Result<Option<Error>> {
    let Some((pods, pod)) = last_pod(leftovers, search, run_id).await? else { return Ok(None) };
    let (name, snapshot) = (pod.name_any(), PodSnapshot::of(&pod));
    let Some(end) = PodEnd::of(&name, &snapshot, false) else { return Ok(None) };
    let params = LogParams {
        container: Some(CONTAINER.to_owned()),
        tail_lines: Some(LAST_LINES),
        ..Default::default()
    };
    // The lines only explain the error, so a failure to read them is ignored.
    let last_lines = leftovers.retry.run(|| pods.logs(&name, &params)).await.unwrap_or_default();
    let memory = memory_limit(&pod);
    let ended = EndedPod {
        run_id,
        pod: &name,
        image: pod_base::container(&pod).and_then(|it| it.image.as_deref()).unwrap_or_default(),
        server: &leftovers.cluster.address,
        memory: memory.as_deref(),
        stage_secret: None,
        last_lines: last_lines.lines().map(str::to_owned).collect(),
        claim_events: Vec::new(),
    };
    Ok(ended.judge(end).err())
}

/// Returns the Pod of the run's last attempt, with the API of its namespace.
async fn last_pod(
    leftovers: &Leftovers<'_>,
    search: &RunSearch,
    run_id: &str,
) -> Result<Option<(Api<Pod>, Pod)>> {
    let pods = leftovers.find_pods(search, run_id).await.complete()?;
    let last = pods.into_iter().max_by_key(|(_, pod)| attempt_number(pod));
    Ok(last.map(|(namespace, pod)| (leftovers.cluster.api(&namespace), pod)))
}

/// Returns the Pod of an attempt, with the API of its namespace.
async fn pod_of(
    leftovers: &Leftovers<'_>,
    search: &RunSearch,
    (run_id, attempt): (&str, u32),
) -> Result<Option<(Api<Pod>, Pod)>> {
    let found = leftovers.find_pods(search, run_id).await;
    let of_attempt = found.pods.iter().find(|(_, pod)| attempt_number(pod) == attempt);
    match of_attempt {
        Some((namespace, pod)) => Ok(Some((leftovers.cluster.api(namespace), pod.clone()))),
        None => found.complete().map(|_| None),
    }
}

fn attempt_number(pod: &Pod) -> u32 {
    ProcessInfo::attempt_of(&pod.name_any())
}

fn is_restart(pod: &Pod) -> bool {
    matches!(PodSnapshot::of(pod).process, ProcessState::Ended(exit) if exit.is_restart())
}
