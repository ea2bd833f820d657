//! What the Pods of a run that another process began write, and how they ended.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, ResourceExt};

use super::cluster::found;
use super::end::{End, Ended};
use super::leftovers::{Leftovers, has_ended};
use super::output::{AtGap, Broken, Lines, Output};
use super::pod::memory;
use super::seen::{ProcessState, Seen};
use crate::environment::pod_base::{self, CONTAINER};
use crate::error::{Error, Result};
use crate::run::log::Log;

/// How long to wait before a Pod is looked for or its log asked for again, at first and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// How many of its last lines are told of a Pod that left no outcome.
const SAID: i64 = 5;

/// Says how many lines of a log were handed on, when no more are.
struct Cut<'a>(&'a Log, Lines);

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        let [stdout, stderr] = self.1.counts();
        self.0.mark_truncated(stdout, stderr);
    }
}

/// Hands on what the last Pod of the run writes, to its end.
pub(super) async fn follow(
    leftovers: &Leftovers<'_>,
    namespaces: &BTreeSet<String>,
    run_id: &str,
    log: &Log,
) {
    let mut pause = PAUSES.0;
    let (pods, pod) = loop {
        if let Ok(Some(last)) = last(leftovers, namespaces, run_id).await {
            break last;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    };
    let name = pod.name_any();
    let mut output = Output::new(pods.clone(), &name, log);
    let lines = output.lines();
    let _cut = Cut(log, lines.clone());
    loop {
        let Ok(pod) = found(leftovers.patience.persist(|| pods.get(&name)).await) else {
            tokio::time::sleep(pause).await;
            continue;
        };
        let Some(pod) = pod.filter(|pod| !is_of_later_start(pod)) else { return };
        let (before, has_ended) = (lines.counts(), has_ended(&pod));
        let handed_on = match has_ended {
            true => output.finish(AtGap::Stop).await,
            false => output.follow().await,
        };
        match handed_on {
            Ok(()) if has_ended => return,
            Err(Broken::Gap) => return,
            _ if lines.counts() != before => pause = PAUSES.0,
            _ => pause = (pause * 2).min(PAUSES.1),
        }
        tokio::time::sleep(pause).await;
    }
}

/// Why the run left no outcome, as far as its last Pod tells.
pub(super) async fn failure(
    leftovers: &Leftovers<'_>,
    namespaces: &BTreeSet<String>,
    run_id: &str,
) -> Result<Option<Error>> {
    let Some((pods, pod)) = last(leftovers, namespaces, run_id).await? else { return Ok(None) };
    let (name, seen) = (pod.name_any(), Seen::of(&pod));
    let Some(end) = End::of(&name, &seen, false) else { return Ok(None) };
    let params = LogParams {
        container: Some(CONTAINER.to_owned()),
        tail_lines: Some(SAID),
        ..Default::default()
    };
    // A log that can't be read tells nothing more.
    let said = leftovers.patience.persist(|| pods.logs(&name, &params)).await.unwrap_or_default();
    let memory = memory(&pod);
    let ended = Ended {
        run_id,
        pod: &name,
        image: pod_base::container(&pod).and_then(|it| it.image.as_deref()).unwrap_or_default(),
        server: &leftovers.reached.address,
        memory: memory.as_deref(),
        last_lines: said.lines().map(str::to_owned).collect(),
        claims: Vec::new(),
    };
    Ok(ended.judge(end).err())
}

/// The last Pod of the run, and where it is.
async fn last(
    leftovers: &Leftovers<'_>,
    namespaces: &BTreeSet<String>,
    run_id: &str,
) -> Result<Option<(Api<Pod>, Pod)>> {
    let mut last: Option<(Api<Pod>, Pod)> = None;
    for namespace in namespaces {
        let pods: Api<Pod> = leftovers.reached.api(namespace);
        for pod in leftovers.of_run(&pods, run_id).await? {
            if last.as_ref().is_none_or(|(_, last)| attempt(last) <= attempt(&pod)) {
                last = Some((pods.clone(), pod));
            }
        }
    }
    Ok(last)
}

/// Which attempt a Pod is, by its name.
fn attempt(pod: &Pod) -> u32 {
    let name = pod.name_any();
    name.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn is_of_later_start(pod: &Pod) -> bool {
    matches!(Seen::of(pod).process, ProcessState::Ended(exit) if exit.is_of_later_start())
}
