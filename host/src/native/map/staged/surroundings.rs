//! The environment of a staged map: the part of it that its first segment keeps, and the environment of an attached map.

#[cfg(feature = "docker")]
use hype_wire::MapVolume;
use hype_wire::{Access, Job, MapContainers, MapHead};

#[cfg(feature = "docker")]
use crate::environment::mount::Source;
use crate::environment::{HostDirectory, RunEnvironment, VolumeRequest};
#[cfg(feature = "docker")]
use crate::error::Result;
#[cfg(feature = "docker")]
use crate::runner::mount::host_mount;

/// Returns what the job doesn't say of containers with this image.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if a directory doesn't exist, or has a path that is not UTF-8.
#[cfg(feature = "docker")]
pub(crate) fn containers(env: &RunEnvironment, image: &str) -> Result<MapContainers> {
    let (mut directories, mut volumes) = (Vec::new(), Vec::new());
    for mount in env.mounts() {
        let (path, access) = (&mount.path, mount.access);
        match &mount.source {
            Source::Directory(directory) => directories.push(host_mount(directory, path, access)?),
            Source::Volume(request) => volumes.push(MapVolume {
                name: request.name().to_owned(),
                storage_class: request.storage_class().to_owned(),
                size: request.size().to_owned(),
                path: path.clone(),
                access,
            }),
        }
    }
    let (requests, secrets) = (env.requests().clone(), env.secrets().clone());
    Ok(MapContainers { image: image.to_owned(), requests, directories, volumes, secrets })
}

/// Returns the environment of the items: what decides about retries, and what containers need.
pub(crate) fn env_of(job: &Job, head: &MapHead) -> RunEnvironment {
    let mut env = RunEnvironment::new().with_retries(head.retries);
    if let Some(memory) = job.limits.memory {
        env = env.with_memory(memory);
    }
    if let Some(timeout) = job.limits.timeout() {
        env = env.with_timeout(timeout);
    }
    env = match &head.containers {
        Some(containers) => in_containers(&env, containers),
        None => {
            let writable = job.mounts.iter().filter(|mount| mount.access == Access::ReadWrite);
            writable.fold(env, |env, mount| {
                let directory = HostDirectory::new(&mount.source);
                env.with_mount(directory.mount_read_write(mount.path.as_str()))
            })
        }
    };
    let env = job.powers.http.iter().fold(env, |env, hosts| env.allow_http(hosts.to_string()));
    let commands = job.powers.commands.iter();
    commands.fold(env, |env, command| env.allow_command(command.as_str()))
}

fn in_containers(env: &RunEnvironment, containers: &MapContainers) -> RunEnvironment {
    let MapContainers { image, requests, directories, volumes, secrets } = containers;
    let env = requests.iter().fold(env.with_image(image), |env, (resource, quantity)| {
        env.with_request(resource, quantity)
    });
    let env = directories.iter().fold(env, |env, mount| {
        let (directory, path) = (HostDirectory::new(&mount.source), mount.path.as_str());
        env.with_mount(match mount.access {
            Access::ReadOnly => directory.mount_read_only(path),
            Access::ReadWrite => directory.mount_read_write(path),
        })
    });
    let env = volumes.iter().fold(env, |env, it| {
        let volume = VolumeRequest::persistent(&it.name, &it.storage_class, &it.size);
        env.with_mount(match it.access {
            Access::ReadOnly => volume.mount_read_only(&it.path),
            Access::ReadWrite => volume.mount_read_write(&it.path),
        })
    });
    secrets.iter().fold(env, |env, (path, name)| env.with_secret(name, path))
}

#[cfg(test)]
#[cfg(feature = "docker")]
mod tests {
    use hype_wire::{Blob, ComponentRef, Digest};

    use super::*;

    #[test]
    fn environment_of_containers_survives_the_stage() {
        let data = tempfile::tempdir().unwrap();
        let volume = VolumeRequest::persistent("scores", "standard", "10Gi");
        let directory = HostDirectory::new(data.path().canonicalize().unwrap());
        let env = RunEnvironment::new()
            .with_image("a/b:1")
            .with_request("memory", "1Gi")
            .with_mount(directory.mount_read_write("/data"))
            .with_mount(volume.mount_read_only("/scores"))
            .with_secret("gcp-key", "/etc/gcloud")
            .with_retries(2)
            .with_memory(64 << 20)
            .with_timeout(std::time::Duration::from_secs(9));
        let blob = Blob::of(b"component");
        let mut job = Job::new(ComponentRef { name: "a.wasm".into(), blob });
        (job.limits.memory, job.limits.timeout_ms) = (Some(64 << 20), Some(9000));
        let head = MapHead {
            manifest: Digest::of(b"manifest"),
            retries: 2,
            error_retries: 0,
            max_memory: None,
            started_unix_us: 0,
            containers: Some(containers(&env, "a/b:1").unwrap()),
        };
        assert_eq!(format!("{:?}", env_of(&job, &head)), format!("{env:?}"));
        assert_eq!(env_of(&job, &head).mounts(), env.mounts());
    }
}
