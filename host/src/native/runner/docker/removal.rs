//! Removal of containers by their immutable IDs, which no other container ever has.

use std::collections::HashMap;

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::RemoveContainerOptionsBuilder;

use super::daemon::{ConnectedDaemon, none_if_missing, request_error, status};
use crate::error::Result;

/// Removes the container `name`, if it has all these labels, so that this process created it.
pub(super) async fn remove_labelled(
    daemon: &ConnectedDaemon,
    name: &str,
    labels: &HashMap<String, String>,
) -> Result<()> {
    let inspect = || daemon.docker.inspect_container(name, None);
    let found = none_if_missing(daemon.retry.run_read(inspect).await)
        .map_err(|error| request_error(format!("cannot find container {name}"), error))?;
    match found.filter(|found| has_labels(found, labels)).and_then(|found| found.id) {
        Some(id) => remove_container(daemon, &id).await,
        None => Ok(()),
    }
}

/// Returns whether a container has all these labels. Its image may add others.
pub(super) fn has_labels(
    container: &ContainerInspectResponse,
    labels: &HashMap<String, String>,
) -> bool {
    let found = container.config.as_ref().and_then(|config| config.labels.as_ref());
    labels.iter().all(|(name, value)| found.and_then(|found| found.get(name)) == Some(value))
}

/// Removes the container with this ID, running or not, with its anonymous volumes. Idempotent: a missing container, or
/// a concurrent removal, is no error.
pub(super) async fn remove_container(daemon: &ConnectedDaemon, id: &str) -> Result<()> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    let remove = || daemon.docker.remove_container(id, Some(options.clone()));
    match daemon.retry.run(remove).await {
        Err(error) if !matches!(status(&error), Some(404 | 409)) => {
            Err(request_error(format!("cannot remove container {id}"), error))
        }
        _ => Ok(()),
    }
}
