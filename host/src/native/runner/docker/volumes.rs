//! Volumes as named Docker volumes, with the same life cycle as on a cluster.

use std::collections::{HashMap, HashSet};

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, Volume, VolumeCreateRequest,
};
use bollard::query_parameters::{RemoveVolumeOptions, UploadToContainerOptionsBuilder};
use futures::FutureExt;
use tokio::sync::Mutex;

use super::archive::world_writable_directories;
use super::daemon::{ConnectedDaemon, none_if_missing, request_error, status};
use super::removal::remove_labelled;
use crate::cleanup::list::CleanupList;
use crate::environment::mount::{Source, VolumeRequest};
use crate::error::{Error, Result};
use crate::run::lease;
use crate::runner::create_resource::create_resource;
use crate::runner::{Process, labels};

/// The directory of new volumes in the container that makes them world-writable.
const VOLUMES_DIR: &str = "hype-volumes";

/// The volumes that a runner has created or checked.
#[derive(Debug, Default)]
pub(crate) struct Volumes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Volumes that exist with the requested class and size.
    checked: HashSet<String>,
    /// New volumes that only root can write to.
    unopened: HashSet<String>,
}

impl Volumes {
    /// Creates the volume of `request` if it is missing. Registers a transient volume with `cleanup`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if the volume exists with another class or size.
    pub(crate) async fn ensure(
        &self,
        daemon: &ConnectedDaemon,
        request: &VolumeRequest,
        cleanup: &CleanupList,
    ) -> Result<()> {
        request.check_name()?;
        let mut state = self.0.lock().await;
        if request.is_transient() && state.checked.contains(request.name()) {
            return Ok(());
        }
        let name = request.name();
        let existing =
            none_if_missing(daemon.retry.run(|| daemon.docker.inspect_volume(name)).await)
                .map_err(|error| {
                    request_error(format!("cannot look for the volume {name}"), error)
                })?;
        match existing {
            Some(volume) => check(request, &volume)?,
            None => {
                create(daemon, request, cleanup).await?;
                state.unopened.insert(name.to_owned());
            }
        }
        state.checked.insert(name.to_owned());
        Ok(())
    }

    /// Makes the new volumes of `process` world-writable.
    ///
    /// Changing a volume takes a container that mounts it. The container is never started.
    pub(crate) async fn open_to_all_users(
        &self,
        daemon: &ConnectedDaemon,
        process: &Process,
        image: &str,
    ) -> Result<()> {
        let names = process.env.mounts().iter().filter_map(|mount| match &mount.source {
            Source::Volume(request) => Some(request.name()),
            Source::Directory(_) => None,
        });
        let names: Vec<&str> = names.collect();
        if names.is_empty() {
            return Ok(());
        }
        let mut state = self.0.lock().await;
        let unopened: Vec<&str> =
            names.into_iter().filter(|name| state.unopened.contains(*name)).collect();
        if unopened.is_empty() {
            return Ok(());
        }
        let container = format!("{}-volumes", process.name);
        let opening = open_all(daemon, process, image, &container, &unopened).await;
        let labels = opener_labels(process);
        let removed = remove_labelled(daemon, &container, &labels).await;
        opening.and(removed)?;
        for name in unopened {
            state.unopened.remove(name);
        }
        Ok(())
    }
}

async fn create(
    daemon: &ConnectedDaemon,
    request: &VolumeRequest,
    cleanup: &CleanupList,
) -> Result<()> {
    let name = request.name().to_owned();
    let removal = request.is_transient().then(|| {
        let (daemon, name, what) = (daemon.clone(), name.clone(), format!("volume {name}"));
        let removal = async move { remove_own_volume(&daemon, &name).await };
        (cleanup, what, removal.boxed())
    });
    let body = VolumeCreateRequest {
        name: Some(name.clone()),
        labels: Some(labels_of(request)),
        ..Default::default()
    };
    let ConnectedDaemon { docker, retry, .. } = daemon.clone();
    // Idempotent: creating an existing volume succeeds.
    let request = async move { retry.run(|| docker.create_volume(body.clone())).await };
    let created = create_resource(request.boxed(), removal).await?;
    created
        .map(drop)
        .map_err(|error| request_error(format!("cannot create the volume {name}"), error))
}

fn labels_of(request: &VolumeRequest) -> HashMap<String, String> {
    let life = if request.is_transient() { "transient" } else { "persistent" };
    let labels = [
        (labels::VOLUME, life.to_owned()),
        (labels::CLASS, request.storage_class().to_owned()),
        (labels::SIZE, request.size().to_owned()),
        (labels::SUBMITTER, lease::owner().to_owned()),
        (labels::EXPIRY, labels::expiry(None)),
    ];
    labels.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Checks that `volume` has the requested class and size. A volume that hype didn't create has no such labels and is
/// accepted.
fn check(request: &VolumeRequest, volume: &Volume) -> Result<()> {
    let label = |name| volume.labels.get(name).map(String::as_str);
    let (Some(class), Some(size)) = (label(labels::CLASS), label(labels::SIZE)) else {
        return Ok(());
    };
    if (class, size) == (request.storage_class(), request.size()) {
        return Ok(());
    }
    let name = request.name();
    Err(Error::input(format!(
        "volume {name} exists with class and size {class} {size}, but {} {} were requested",
        request.storage_class(),
        request.size()
    ))
    .hint(format!("request these, or remove it: docker volume rm {name}")))
}

/// Removes the volume `name`, if this process created it and it is transient.
async fn remove_own_volume(daemon: &ConnectedDaemon, name: &str) -> Result<()> {
    let found = none_if_missing(daemon.retry.run_read(|| daemon.docker.inspect_volume(name)).await)
        .map_err(|error| request_error(format!("cannot find the volume {name}"), error))?;
    let label = |volume: &Volume, name: &str| volume.labels.get(name).cloned();
    let is_own = found.is_some_and(|volume| {
        label(&volume, labels::SUBMITTER).as_deref() == Some(lease::owner())
            && is_transient(&volume)
    });
    if is_own { remove_volume(daemon, name).await } else { Ok(()) }
}

/// Returns whether a volume is a transient volume of hype.
pub(super) fn is_transient(volume: &Volume) -> bool {
    volume.labels.get(labels::VOLUME).is_some_and(|life| life == "transient")
}

/// Removes a volume, whose labels the caller has read. Idempotent: a missing volume is no error.
pub(crate) async fn remove_volume(daemon: &ConnectedDaemon, name: &str) -> Result<()> {
    let remove = || daemon.docker.remove_volume(name, None::<RemoveVolumeOptions>);
    match daemon.retry.run_removal(remove).await {
        Err(error) if status(&error) != Some(404) => {
            Err(request_error(format!("cannot remove the volume {name}"), error))
        }
        _ => Ok(()),
    }
}

/// Makes `volumes` world-writable, by an upload to a container that mounts them.
async fn open_all(
    daemon: &ConnectedDaemon,
    process: &Process,
    image: &str,
    container: &str,
    volumes: &[&str],
) -> Result<()> {
    let problem = format!("cannot make {} writable", volumes.join(", "));
    let body = opener_body(process, image, volumes);
    super::run::create(daemon, process, container, body).await?;
    let names: Vec<_> = (0..volumes.len()).map(|index| format!("{VOLUMES_DIR}/{index}")).collect();
    let archive =
        world_writable_directories(&names).map_err(|error| Error::runner(&problem, error))?;
    let options = UploadToContainerOptionsBuilder::default().path("/").build();
    let archive = bytes::Bytes::from(archive);
    let upload = || {
        let (options, archive) = (options.clone(), bollard::body_full(archive.clone()));
        daemon.docker.upload_to_container(container, Some(options), archive)
    };
    daemon.retry.run(upload).await.map_err(|error| request_error(problem, error))
}

/// Returns the creation request of a container that mounts `volumes`.
fn opener_body(process: &Process, image: &str, volumes: &[&str]) -> ContainerCreateBody {
    let mounts = volumes.iter().enumerate().map(|(index, volume)| Mount {
        typ: Some(MountType::VOLUME),
        source: Some((*volume).to_owned()),
        target: Some(format!("/{VOLUMES_DIR}/{index}")),
        ..Default::default()
    });
    let mut labels = opener_labels(process);
    labels.insert(labels::EXPIRY.to_owned(), labels::expiry(None));
    ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(labels),
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            mounts: Some(mounts.collect()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Returns the labels by which this process recognizes that container.
fn opener_labels(process: &Process) -> HashMap<String, String> {
    let names = [labels::RUN, labels::SUBMITTER, labels::MANIFEST].into_iter();
    let labels =
        names.filter_map(|name| Some((name.to_owned(), process.labels.get(name)?.clone())));
    labels.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(labels: &[(&str, &str)]) -> Volume {
        let labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Volume { labels: labels.collect(), ..Default::default() }
    }

    #[test]
    fn mismatched_class_or_size_is_reported() {
        let request = VolumeRequest::persistent("models", "ssd", "1Gi");
        let of = |class, size| volume(&[(labels::CLASS, class), (labels::SIZE, size)]);
        assert!(check(&request, &of("ssd", "1Gi")).is_ok());
        assert!(check(&request, &volume(&[])).is_ok());
        for (class, size) in [("ssd", "2Gi"), ("disk", "1Gi")] {
            let error = check(&request, &of(class, size)).unwrap_err();
            let expected =
                format!("with class and size {class} {size}, but ssd 1Gi were requested");
            assert!(error.to_string().contains(&expected), "{error:?}");
            assert!(error.report().contains("docker volume rm models"), "{error:?}");
        }
    }
}
