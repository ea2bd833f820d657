//! What of hype's is there without a submitter in this process: containers by their run, and what
//! expired.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, SystemTime};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, Volume};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListVolumesOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures::StreamExt;
use hype_stage::Removal;
use hype_wire::RunKey;

use super::daemon::{Reached, refused};
use super::run::remove_container;
use super::volumes::remove_volume;
use crate::error::Result;
use crate::runner::labels;

/// How long a container whose outcome is there may take to end by itself.
const END: Duration = Duration::from_secs(10);

/// Whether a container of this run still runs.
pub(crate) async fn is_alive(reached: &Reached, run_id: &str) -> Result<bool> {
    Ok(of_run(reached, run_id).await?.iter().any(is_running))
}

/// The key of this run, if a container of it is there.
pub(crate) async fn key(reached: &Reached, run_id: &str) -> Result<Option<RunKey>> {
    let containers = of_run(reached, run_id).await?;
    let mut keys = containers.iter().filter_map(|container| label(container, labels::KEY));
    Ok(keys.find_map(|key| key.parse().ok()))
}

/// Removes the containers of this run, once they have ended or didn't for a while; with them, if their submitter is
/// gone, the transient volumes that no other container has.
pub(crate) async fn remove_run(reached: &Reached, run_id: &str, is_orphan: bool) -> Result<()> {
    let of_run = of_run(reached, run_id).await?;
    let volumes: HashSet<_> = of_run.iter().flat_map(volumes_of).collect();
    for container in of_run {
        let Some(id) = container.id else { continue };
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        let mut waiting = Box::pin(reached.docker.wait_container(&id, Some(options)));
        // However it ends, and whether it does: it goes now.
        let _ = tokio::time::timeout(END, waiting.next()).await;
        drop(waiting);
        remove_container(reached.clone(), id).await?;
    }
    if volumes.is_empty() || !is_orphan {
        return Ok(());
    }
    for volume in transient_volumes(reached).await? {
        let submitter = volume.labels.get(labels::SUBMITTER).cloned();
        let is_of_run = volumes.contains(&(Some(volume.name.clone()), submitter));
        if is_of_run && !is_used(reached, &volume.name).await? {
            remove_volume(reached, &volume.name).await?;
        }
    }
    Ok(())
}

/// The names of the container's volumes, each with whose the container is.
fn volumes_of(container: &ContainerSummary) -> Vec<(Option<String>, Option<String>)> {
    let submitter = label(container, labels::SUBMITTER).map(str::to_owned);
    let mounts = container.mounts.iter().flatten().filter(|mount| mount.name.is_some());
    mounts.map(|mount| (mount.name.clone(), submitter.clone())).collect()
}

pub(super) async fn of_run(reached: &Reached, run_id: &str) -> Result<Vec<ContainerSummary>> {
    containers(reached, &format!("{}={run_id}", labels::RUN)).await
}

async fn containers(reached: &Reached, label: &str) -> Result<Vec<ContainerSummary>> {
    let filters = HashMap::from([("label", vec![label.to_owned()])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed = reached.patience.read(|| reached.docker.list_containers(Some(options.clone())));
    listed.await.map_err(|error| refused("cannot list the containers of hype", error))
}

/// Removes the containers and transient volumes that have expired, that nothing uses, and that don't belong to the runs
/// `kept`, and returns their names.
pub(crate) async fn collect(
    reached: &Reached,
    removal: Removal,
    kept: &BTreeSet<String>,
) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let there = containers(reached, labels::RUN).await?;
    for container in there.iter().filter(|it| is_left(it, kept)) {
        let Some(name) = container.names.iter().flatten().next() else { continue };
        let name = name.trim_start_matches('/');
        if removal == Removal::Real {
            remove_container(reached.clone(), name.to_owned()).await?;
        }
        names.push(format!("container {name}"));
    }
    for volume in transient_volumes(reached).await? {
        let expiry = volume.labels.get(labels::EXPIRY).map(String::as_str);
        if !labels::is_over(expiry, SystemTime::now()) || is_used(reached, &volume.name).await? {
            continue;
        }
        if removal == Removal::Real {
            remove_volume(reached, &volume.name).await?;
        }
        names.push(format!("volume {}", volume.name));
    }
    Ok(names)
}

fn is_left(container: &ContainerSummary, kept: &BTreeSet<String>) -> bool {
    let is_kept = label(container, labels::RUN).is_some_and(|run| kept.contains(run));
    let is_over = labels::is_over(label(container, labels::EXPIRY), SystemTime::now());
    !is_running(container) && is_over && !is_kept
}

fn is_running(container: &ContainerSummary) -> bool {
    use ContainerSummaryStateEnum::{PAUSED, RESTARTING, RUNNING};
    matches!(container.state, Some(RUNNING | PAUSED | RESTARTING))
}

fn label<'a>(container: &'a ContainerSummary, name: &str) -> Option<&'a str> {
    container.labels.as_ref()?.get(name).map(String::as_str)
}

async fn transient_volumes(reached: &Reached) -> Result<Vec<Volume>> {
    let label = format!("{}=transient", labels::VOLUME);
    let filters = HashMap::from([("label", vec![label])]);
    let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
    let listed = reached.patience.read(|| reached.docker.list_volumes(Some(options.clone()))).await;
    let listed = listed.map_err(|error| refused("cannot list the volumes of hype", error))?;
    Ok(listed.volumes.unwrap_or_default())
}

/// Whether a container is there that has it, running or not.
async fn is_used(reached: &Reached, volume: &str) -> Result<bool> {
    let filters = HashMap::from([("volume", vec![volume.to_owned()])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let using =
        reached.patience.read(|| reached.docker.list_containers(Some(options.clone()))).await;
    let using =
        using.map_err(|error| refused(format!("cannot look who uses volume {volume}"), error))?;
    Ok(!using.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: ContainerSummaryStateEnum, expiry: Option<&str>) -> ContainerSummary {
        let labels = expiry.map(|expiry| (labels::EXPIRY.to_owned(), expiry.to_owned()));
        ContainerSummary {
            state: Some(state),
            labels: Some(labels.into_iter().collect()),
            ..Default::default()
        }
    }

    #[test]
    fn the_container_of_a_run_that_is_kept_stays() {
        let mut ended = container(ContainerSummaryStateEnum::EXITED, Some("1"));
        let labels = ended.labels.get_or_insert_default();
        labels.insert(labels::RUN.to_owned(), "hype-run-a".to_owned());
        assert!(!is_left(&ended, &BTreeSet::from(["hype-run-a".to_owned()])));
        assert!(is_left(&ended, &BTreeSet::from(["hype-run-b".to_owned()])));
    }

    #[test]
    fn what_runs_or_has_not_expired_stays() {
        let is_left = |container: &ContainerSummary| is_left(container, &BTreeSet::new());
        use ContainerSummaryStateEnum::{CREATED, DEAD, EXITED, PAUSED, RUNNING};
        let later = labels::expiry(None);
        for state in [CREATED, EXITED, DEAD] {
            assert!(is_left(&container(state, Some("1"))), "{state}");
            assert!(!is_left(&container(state, Some(&later))), "{state}");
            assert!(!is_left(&container(state, None)), "{state}");
        }
        assert!(!is_left(&container(RUNNING, Some("1"))));
        assert!(!is_left(&container(PAUSED, Some("1"))));
    }
}
