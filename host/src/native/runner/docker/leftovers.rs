//! Finds and removes containers and volumes without the submitter that created them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, Volume};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListVolumesOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures::StreamExt;

use super::daemon::{ConnectedDaemon, request_error};
use super::removal::remove_container;
use super::volumes::{is_transient, remove_volume};
use crate::error::Result;
use crate::runner::labels;

/// The time that a container may take to exit before it is removed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns whether a container of this run is running.
pub(crate) async fn is_alive(daemon: &ConnectedDaemon, run_id: &str) -> Result<bool> {
    Ok(containers_of_run(daemon, run_id).await?.iter().any(is_running))
}

/// Removes the containers of this run, after waiting some seconds for their exit. With `is_orphan`, also removes their
/// transient volumes that no other container uses.
pub(crate) async fn remove_run(
    daemon: &ConnectedDaemon,
    run_id: &str,
    is_orphan: bool,
) -> Result<()> {
    let containers_of_run = containers_of_run(daemon, run_id).await?;
    let of_run: HashSet<_> = containers_of_run.iter().flat_map(volumes_of).collect();
    for container in containers_of_run {
        let Some(id) = container.id else { continue };
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        let mut waiting = Box::pin(daemon.docker.wait_container(&id, Some(options)));
        // The container is removed in any case.
        let _ = tokio::time::timeout(EXIT_TIMEOUT, waiting.next()).await;
        drop(waiting);
        remove_container(daemon, &id).await?;
    }
    if of_run.is_empty() || !is_orphan {
        return Ok(());
    }
    for volume in volumes(daemon).await?.iter().filter(|volume| is_transient(volume)) {
        let submitter = volume.labels.get(labels::SUBMITTER).cloned();
        let is_of_run = of_run.contains(&(Some(volume.name.clone()), submitter));
        if is_of_run && users(daemon, &volume.name).await?.is_empty() {
            remove_volume(daemon, &volume.name).await?;
        }
    }
    Ok(())
}

/// Returns the names of the container's volumes, each with the container's submitter.
fn volumes_of(container: &ContainerSummary) -> Vec<(Option<String>, Option<String>)> {
    let submitter = label(container, labels::SUBMITTER).map(str::to_owned);
    let mounts = container.mounts.iter().flatten().filter(|mount| mount.name.is_some());
    mounts.map(|mount| (mount.name.clone(), submitter.clone())).collect()
}

/// Returns the containers that, read back, have the label of this run.
pub(super) async fn containers_of_run(
    daemon: &ConnectedDaemon,
    run_id: &str,
) -> Result<Vec<ContainerSummary>> {
    let mut of_run = containers(daemon, &format!("{}={run_id}", labels::RUN)).await?;
    of_run.retain(|container| label(container, labels::RUN) == Some(run_id));
    Ok(of_run)
}

pub(super) async fn containers(
    daemon: &ConnectedDaemon,
    label: &str,
) -> Result<Vec<ContainerSummary>> {
    let filters = HashMap::from([("label", vec![label.to_owned()])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed = daemon.retry.run_read(|| daemon.docker.list_containers(Some(options.clone())));
    listed.await.map_err(|error| request_error("cannot list the containers of hype", error))
}

/// Returns whether a container may still write an outcome.
pub(super) fn is_running(container: &ContainerSummary) -> bool {
    use ContainerSummaryStateEnum::{PAUSED, RESTARTING, RUNNING};
    matches!(container.state, Some(RUNNING | PAUSED | RESTARTING))
}

pub(super) fn label<'a>(container: &'a ContainerSummary, name: &str) -> Option<&'a str> {
    container.labels.as_ref()?.get(name).map(String::as_str)
}

/// Returns the volumes of hype.
pub(super) async fn volumes(daemon: &ConnectedDaemon) -> Result<Vec<Volume>> {
    let filters = HashMap::from([("label", vec![labels::VOLUME.to_owned()])]);
    let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
    let listed = daemon.retry.run_read(|| daemon.docker.list_volumes(Some(options.clone()))).await;
    let listed = listed.map_err(|error| request_error("cannot list the volumes of hype", error))?;
    Ok(listed.volumes.unwrap_or_default())
}

/// Returns the containers, running or not, that use the volume.
pub(super) async fn users(daemon: &ConnectedDaemon, volume: &str) -> Result<Vec<ContainerSummary>> {
    let filters = HashMap::from([("volume", vec![volume.to_owned()])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let users =
        daemon.retry.run_read(|| daemon.docker.list_containers(Some(options.clone()))).await;
    users.map_err(|error| {
        request_error(format!("cannot list the containers that use volume {volume}"), error)
    })
}
