//! Volumes as named volumes of Docker's, with the life cycle that they have on a cluster.

use std::collections::{HashMap, HashSet};

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, Volume, VolumeCreateRequest,
};
use bollard::query_parameters::{RemoveVolumeOptions, UploadToContainerOptionsBuilder};
use tokio::sync::Mutex;

use super::archive::open_directories;
use super::daemon::{Reached, found, refused, status};
use super::run::remove_container;
use crate::cleanup::owned::Owned;
use crate::environment::mount::{Source, VolumeRequest};
use crate::error::{Error, Result};
use crate::run::lease;
use crate::runner::make::make;
use crate::runner::{Process, labels};

/// Where fresh volumes stand in the container that opens them to all users.
const PLACE: &str = "hype-volumes";

/// The volumes that a runner knows.
#[derive(Debug, Default)]
pub(crate) struct Volumes(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Those that were looked at, and need not be again.
    checked: HashSet<String>,
    /// Those that were made, and that only root can write to yet.
    fresh: HashSet<String>,
}

impl Volumes {
    /// Makes the volume of `request` if it is absent. A transient one is entered into `owned`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it is there with another class or size.
    pub(crate) async fn make(
        &self,
        reached: &Reached,
        request: &VolumeRequest,
        owned: &Owned,
    ) -> Result<()> {
        request.check_name()?;
        let mut known = self.0.lock().await;
        if request.is_transient() && known.checked.contains(request.name()) {
            return Ok(());
        }
        let name = request.name();
        let there =
            found(reached.patience.persist(|| reached.docker.inspect_volume(name)).await)
                .map_err(|error| refused(format!("cannot look for the volume {name}"), error))?;
        match there {
            Some(volume) => check(request, &volume)?,
            None => {
                create(reached, request, owned).await?;
                known.fresh.insert(name.to_owned());
            }
        }
        known.checked.insert(name.to_owned());
        Ok(())
    }

    /// Lets every user write to those of these volumes that were just made, whoever the container's is.
    ///
    /// It takes a container with them, which is never started, to change what is in a volume.
    pub(crate) async fn open(
        &self,
        reached: &Reached,
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
        let mut known = self.0.lock().await;
        let fresh: Vec<&str> =
            names.into_iter().filter(|name| known.fresh.contains(*name)).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let container = format!("{}-volumes", process.name);
        let opening = open_all(reached, process, image, (&container, &fresh)).await;
        let removed = remove_container(reached.clone(), container).await;
        opening.and(removed)?;
        for name in fresh {
            known.fresh.remove(name);
        }
        Ok(())
    }
}

async fn create(reached: &Reached, request: &VolumeRequest, owned: &Owned) -> Result<()> {
    let name = request.name().to_owned();
    let removal = request.is_transient().then(|| {
        let (reached, name) = (reached.clone(), name.clone());
        (owned, format!("volume {name}"), async move { remove_volume(&reached, &name).await })
    });
    let body = VolumeCreateRequest {
        name: Some(name.clone()),
        labels: Some(labels_of(request)),
        ..Default::default()
    };
    let Reached { docker, patience, .. } = reached.clone();
    // One that is there already is no error.
    let request = async move { patience.persist(|| docker.create_volume(body.clone())).await };
    let created = make(request, removal).await?;
    created.map(drop).map_err(|error| refused(format!("cannot make the volume {name}"), error))
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

/// Makes sure that `volume` is what `request` asks for. One that somebody else made says nothing of
/// class and size.
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
        "volume {name} is there with class and size {class} {size}, and {} {} were asked for",
        request.storage_class(),
        request.size()
    ))
    .hint(format!("ask for these, or remove it: docker volume rm {name}")))
}

pub(crate) async fn remove_volume(reached: &Reached, name: &str) -> Result<()> {
    let remove = || reached.docker.remove_volume(name, None::<RemoveVolumeOptions>);
    match reached.patience.persist_while_used(remove).await {
        Err(error) if status(&error) != Some(404) => {
            Err(refused(format!("cannot remove the volume {name}"), error))
        }
        _ => Ok(()),
    }
}

async fn open_all(
    reached: &Reached,
    process: &Process,
    image: &str,
    (container, volumes): (&str, &[&str]),
) -> Result<()> {
    let problem = format!("cannot open {} to users", volumes.join(", "));
    let body = opener(process, image, volumes);
    super::run::create(reached, process, (container, body)).await?;
    let names: Vec<_> = (0..volumes.len()).map(|index| format!("{PLACE}/{index}")).collect();
    let archive = open_directories(&names).map_err(|error| Error::runner(&problem, error))?;
    let options = UploadToContainerOptionsBuilder::default().path("/").build();
    let archive = bytes::Bytes::from(archive);
    let upload = || {
        let (options, archive) = (options.clone(), bollard::body_full(archive.clone()));
        reached.docker.upload_to_container(container, Some(options), archive)
    };
    reached.patience.persist(upload).await.map_err(|error| refused(problem, error))
}

fn opener(process: &Process, image: &str, volumes: &[&str]) -> ContainerCreateBody {
    let mounts = volumes.iter().enumerate().map(|(index, volume)| Mount {
        typ: Some(MountType::VOLUME),
        source: Some((*volume).to_owned()),
        target: Some(format!("/{PLACE}/{index}")),
        ..Default::default()
    });
    let labels = [
        (labels::RUN, process.run_id.clone()),
        (labels::SUBMITTER, lease::owner().to_owned()),
        (labels::EXPIRY, labels::expiry(None)),
    ];
    ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(labels.map(|(name, value)| (name.to_owned(), value)).into()),
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            mounts: Some(mounts.collect()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(labels: &[(&str, &str)]) -> Volume {
        let labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Volume { labels: labels.collect(), ..Default::default() }
    }

    #[test]
    fn another_class_or_size_is_told() {
        let request = VolumeRequest::persistent("models", "ssd", "1Gi");
        let of = |class, size| volume(&[(labels::CLASS, class), (labels::SIZE, size)]);
        assert!(check(&request, &of("ssd", "1Gi")).is_ok());
        assert!(check(&request, &volume(&[])).is_ok());
        for (class, size) in [("ssd", "2Gi"), ("disk", "1Gi")] {
            let error = check(&request, &of(class, size)).unwrap_err();
            let told = format!("with class and size {class} {size}, and ssd 1Gi were asked for");
            assert!(error.to_string().contains(&told), "{error:?}");
            assert!(error.report().contains("docker volume rm models"), "{error:?}");
        }
    }
}
