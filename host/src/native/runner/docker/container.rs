//! The definition of an attempt's container, as a pure function.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
};
use hype_wire::launch::{KeySource, Role};
use hype_wire::{Access, names};

use super::limits::Limits;
use super::stage_access::{Network, STAGE_DIR, StageAccess};
use crate::environment::check::guest_path;
use crate::environment::mount::Source;
use crate::error::{Error, Result};
use crate::runner::Process;

/// The `UID:GID` of a container without directories of this machine: the `nonroot` user of the images.
pub(crate) const NONROOT: &str = "65532:65532";

/// The maximum size of the log that the daemon keeps. The run copies all output while the container runs.
const MAX_LOG_SIZE: &str = "64m";

/// The grace period from SIGTERM to SIGKILL, in seconds, in which `hype-run` writes its outcome.
const TERMINATION_GRACE_SECONDS: i64 = 25;

/// A bind mount of a directory or file of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) access: Access,
}

/// The properties of a container that its process doesn't define.
#[derive(Debug)]
pub(crate) struct ContainerOptions<'a> {
    pub(crate) access: &'a StageAccess,
    pub(crate) limits: Limits,
    /// The bind mounts: the guest's directories, secrets and the stage.
    pub(crate) binds: Vec<Bind>,
    /// The user, as `UID:GID`.
    pub(crate) user: String,
    /// The paths of the storage providers' key files, by the variables that name them.
    pub(crate) key_files: BTreeMap<&'static str, String>,
    /// The size of `/tmp`, in bytes.
    pub(crate) tmp: u64,
    /// The container runtime; `None` means the daemon's default.
    pub(crate) runtime: Option<String>,
}

/// The maximum number of processes and threads in a container: those of commands, which `hype-run` bounds as well, and its
/// own.
const MAX_PROCESSES: i64 = 1_024 + 256;

/// Returns the request that creates the container.
pub(crate) fn body(process: &Process, options: ContainerOptions<'_>) -> ContainerCreateBody {
    ContainerCreateBody {
        image: process.image.clone(),
        cmd: Some(arguments(process, options.access)),
        env: Some(variables(process, &options)),
        labels: Some(labels(process)),
        user: Some(options.user.clone()),
        // Standard input carries the run's key, so that it is neither in a file nor in a variable.
        attach_stdin: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..Default::default() }),
        stop_signal: Some("SIGTERM".into()),
        stop_timeout: Some(TERMINATION_GRACE_SECONDS),
        host_config: Some(host_config(process, options)),
        ..Default::default()
    }
}

fn arguments(process: &Process, access: &StageAccess) -> Vec<String> {
    let manifest = format!("{}/{}", access.url, names::manifest(&process.run_id));
    let mut invocation = process.invocation.clone();
    // The container may have the stage at another URL.
    invocation.manifest_url = manifest;
    invocation.key = Some(KeySource::StandardInput);
    invocation.to_args()
}

fn variables(process: &Process, options: &ContainerOptions<'_>) -> Vec<String> {
    let mut variables = options.access.variables.clone();
    variables.extend(process.variables.clone());
    let key_files = options.key_files.iter();
    variables.extend(key_files.map(|(name, path)| ((*name).to_owned(), path.clone())));
    variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn labels(process: &Process) -> HashMap<String, String> {
    let labels = process.labels.iter();
    labels.map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn host_config(process: &Process, options: ContainerOptions<'_>) -> HostConfig {
    let network = match options.access.network {
        Network::Nothing if process.needs_network() => "bridge",
        Network::Nothing => "none",
        Network::Bridge => "bridge",
        Network::Host => "host",
    };
    let tmp = format!("rw,nosuid,nodev,noexec,mode=1777,size={}", options.tmp);
    HostConfig {
        runtime: options.runtime,
        network_mode: Some(network.into()),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges".into()]),
        privileged: Some(false),
        tmpfs: Some([("/tmp".to_owned(), tmp)].into()),
        // `hype-run` handles the duties of PID 1 itself.
        init: Some(false),
        nano_cpus: options.limits.nano_cpus,
        memory: options.limits.memory,
        // The limit of memory and swap together: an equal value means no swap.
        memory_swap: options.limits.memory,
        pids_limit: Some(MAX_PROCESSES),
        mounts: Some(mounts(process, options.binds)),
        log_config: Some(log_config(process.invocation.role)),
        ..Default::default()
    }
}

/// Returns what the daemon keeps of the output: of a map nothing, since it is messages with the values of items.
fn log_config(role: Role) -> HostConfigLogConfig {
    let options = [("max-size", MAX_LOG_SIZE), ("max-file", "1")];
    match role {
        Role::Run => HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(options.map(|(name, value)| (name.into(), value.into())).into()),
        },
        Role::Items => HostConfigLogConfig { typ: Some("none".into()), config: None },
    }
}

fn mounts(process: &Process, binds: Vec<Bind>) -> Vec<Mount> {
    let mount = |typ, source, target, access| Mount {
        typ: Some(typ),
        source: Some(source),
        target: Some(target),
        read_only: Some(access == Access::ReadOnly),
        ..Default::default()
    };
    let volumes = process.env.mounts().iter().filter_map(|it| match &it.source {
        Source::Volume(request) => {
            Some(mount(MountType::VOLUME, request.name().to_owned(), it.path.clone(), it.access))
        }
        Source::Directory(_) => None,
    });
    let binds = binds.into_iter().map(|it| mount(MountType::BIND, it.source, it.target, it.access));
    volumes.chain(binds).collect()
}

/// Checks that the guest's mounts don't overlap with the stage and its secret, which only `hype-run` may use.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if two paths overlap.
pub(crate) fn check_paths(process: &Process) -> Result<()> {
    let secret = process.stage_secret.as_ref().map(|secret| secret.path.as_str());
    if let Some(path) = secret {
        guest_path(path)?;
    }
    let env = &process.env;
    let mounts = env.mounts().iter().map(|mount| mount.path.as_str());
    for path in mounts.chain(env.secrets().keys().map(String::as_str)) {
        for (own, what) in [(Some(STAGE_DIR), "the stage"), (secret, "the stage's secret")] {
            let Some(own) = own else { continue };
            if hype_wire::is_below(path, own) || hype_wire::is_below(own, path) {
                return Err(Error::input(format!(
                    "the guest path `{path}` and that of {what}, `{own}`, overlap: put it elsewhere"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::environment::RunEnvironment;
    use crate::environment::mount::{HostDirectory, VolumeRequest};
    use crate::runner::StageSecret;

    /// Returns the request's JSON with sorted keys.
    fn body_json(process: &Process, options: ContainerOptions<'_>) -> String {
        let mut json = serde_json::to_value(body(process, options)).unwrap();
        json.sort_all_objects();
        serde_json::to_string_pretty(&json).unwrap()
    }

    #[test]
    fn bucket_stage_needs_a_network_and_no_bind_mounts() {
        let access = StageAccess {
            url: "gs://bucket/prefix".into(),
            directory: None,
            network: Network::Bridge,
            variables: BTreeMap::new(),
        };
        let options = ContainerOptions {
            access: &access,
            limits: Limits::default(),
            binds: Vec::new(),
            user: NONROOT.into(),
            key_files: BTreeMap::new(),
            tmp: 4 << 30,
            runtime: None,
        };
        insta::assert_snapshot!(body_json(&Process::example(RunEnvironment::new()), options));
    }

    #[test]
    fn container_has_all_settings_of_its_environment() {
        let access = StageAccess {
            url: format!("file://{STAGE_DIR}"),
            directory: Some("/home/me/stage".into()),
            network: Network::Nothing,
            variables: BTreeMap::from([("STORAGE_EMULATOR_HOST".into(), "127.0.0.1:1".into())]),
        };
        let volume = VolumeRequest::persistent("models", "ssd", "1Gi");
        let env = RunEnvironment::new()
            .with_mount(volume.mount_read_only("/models"))
            .with_mount(HostDirectory::new("/home/me/data").mount_read_write("/data"))
            .with_secret("gcp-key", "/etc/gcloud")
            .with_request("cpu", "750m")
            .with_request("memory", "512Mi")
            // The guest's variables are in the manifest, not in the container.
            .with_env("TOKEN", "hush");
        let bind = |source: &str, target: &str, access| Bind {
            source: source.into(),
            target: target.into(),
            access,
        };
        let options = ContainerOptions {
            access: &access,
            limits: Limits::of(env.requests()).unwrap(),
            binds: vec![
                bind("/home/me/data", "/data", Access::ReadWrite),
                bind("/home/me/secrets/gcp-key", "/etc/gcloud", Access::ReadOnly),
                bind("/home/me/stage/views/r/2/blobs", "/run/hype/stage/blobs", Access::ReadOnly),
                bind("/home/me/stage/runs/r", "/run/hype/stage/runs/r", Access::ReadWrite),
            ],
            user: "1000:1000".into(),
            key_files: [("GOOGLE_APPLICATION_CREDENTIALS", "/etc/gcloud/key.json".into())].into(),
            tmp: 1 << 30,
            runtime: Some("runsc".into()),
        };
        let process =
            Process { image: Some("us.gcr.io/my-image:42".into()), ..Process::example(env) };
        insta::assert_snapshot!(body_json(&process, options));
    }

    #[test]
    fn guest_path_must_not_overlap_with_stage_or_its_secret() {
        let here = HostDirectory::new(".");
        let env = RunEnvironment::new;
        let secret = Some(StageSecret { name: "stage".into(), path: "/etc/stage".into() });
        for (env, expected) in [
            (env().with_mount(here.mount_read_only("/run")), "`/run` and that of the stage"),
            (env().with_mount(here.mount_read_only("/run/hype/stage/a")), "that of the stage, "),
            (env().with_secret("key", "/etc"), "`/etc` and that of the stage's secret"),
            (env().with_secret("key", "/etc/stage"), "that of the stage's secret, `/etc/stage`"),
        ] {
            let process = Process { stage_secret: secret.clone(), ..Process::example(env) };
            let error = check_paths(&process).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let good =
            env().with_secret("key", "/etc/gcloud").with_mount(here.mount_read_only("/data"));
        let good = Process { stage_secret: secret, ..Process::example(good) };
        assert!(check_paths(&good).is_ok());
        let path = "/proc/key".to_owned();
        let invalid = Some(StageSecret { name: "stage".into(), path });
        assert!(check_paths(&Process { stage_secret: invalid, ..good }).is_err());
    }
}
