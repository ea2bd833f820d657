//! The container of an attempt: a pure function of what is known before it is made.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
};
use hype_wire::launch::KeySource;
use hype_wire::{Access, names};

use super::limits::Limits;
use super::reach::{Network, Reach, STAGE};
use crate::environment::mount::Source;
use crate::error::{Error, Result};
use crate::runner::{Process, labels};

/// The user of a container that is shown nothing of this machine: nobody's, as in every image.
pub(crate) const NOBODY: &str = "65532:65532";

/// How many bytes of its output the daemon keeps. All of it is handed on while it runs.
const KEPT_OUTPUT: &str = "64m";

/// How long it has to leave its outcome when the daemon wants to stop it, in seconds.
const GRACE: i64 = 25;

/// A directory of this machine, and where a container sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) access: Access,
}

/// What a container is made of besides what stands in its process.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) reach: &'a Reach,
    pub(crate) limits: Limits,
    /// The directories of this machine that it is shown: the guest's, secrets, the stage.
    pub(crate) binds: Vec<Bind>,
    /// `UID:GID`.
    pub(crate) user: String,
    /// The key files by which `hype-run` reaches providers, by the variables that name them.
    pub(crate) key_files: BTreeMap<&'static str, String>,
    /// How much its `/tmp` may hold, in bytes.
    pub(crate) tmp: u64,
}

/// What the daemon is told to make.
pub(crate) fn body(process: &Process, parts: Parts<'_>) -> ContainerCreateBody {
    ContainerCreateBody {
        image: process.image.clone(),
        cmd: Some(arguments(process, parts.reach)),
        env: Some(variables(process, &parts)),
        labels: Some(labels(process)),
        user: Some(parts.user.clone()),
        // By it the run's key comes, so that it is neither in a file nor in a variable.
        attach_stdin: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..Default::default() }),
        stop_signal: Some("SIGTERM".into()),
        stop_timeout: Some(GRACE),
        host_config: Some(host_config(process, parts)),
        ..Default::default()
    }
}

fn arguments(process: &Process, reach: &Reach) -> Vec<String> {
    let manifest = format!("{}/{}", reach.url, names::manifest(&process.run_id));
    let mut invocation = process.invocation.clone();
    // The stage may be elsewhere for the container.
    invocation.manifest_url = manifest;
    invocation.key = Some(KeySource::StandardInput);
    invocation.to_args()
}

fn variables(process: &Process, parts: &Parts<'_>) -> Vec<String> {
    let mut variables = parts.reach.variables.clone();
    variables.extend(process.variables.clone());
    let key_files = parts.key_files.iter();
    variables.extend(key_files.map(|(name, path)| ((*name).to_owned(), path.clone())));
    variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn labels(process: &Process) -> HashMap<String, String> {
    let key = [(labels::KEY, process.key.reveal())];
    let all = process.labels.iter().map(|(name, value)| (*name, value.clone())).chain(key);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn host_config(process: &Process, parts: Parts<'_>) -> HostConfig {
    let network = match parts.reach.network {
        Network::Nothing if process.needs_network() => "bridge",
        Network::Nothing => "none",
        Network::Bridge => "bridge",
        Network::Host => "host",
    };
    let tmp = format!("rw,nosuid,nodev,noexec,mode=1777,size={}", parts.tmp);
    let log_options = [("max-size", KEPT_OUTPUT), ("max-file", "1")];
    HostConfig {
        network_mode: Some(network.into()),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges".into()]),
        privileged: Some(false),
        tmpfs: Some([("/tmp".to_owned(), tmp)].into()),
        // It is made for being the first process.
        init: Some(false),
        nano_cpus: parts.limits.nano_cpus,
        memory: parts.limits.memory,
        // The same again: so it has no swap besides.
        memory_swap: parts.limits.memory,
        mounts: Some(mounts(process, parts.binds)),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(log_options.map(|(name, value)| (name.into(), value.into())).into()),
        }),
        ..Default::default()
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

/// Makes sure that what the guest is shown lies apart from what is `hype-run`'s alone: the stage, and
/// the secret that leads to it.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when it doesn't.
pub(crate) fn check_paths(process: &Process) -> Result<()> {
    let secret = process.stage_secret.as_ref().map(|secret| secret.path.as_str());
    if let Some(path) = secret {
        hype_wire::check_guest_path(path).map_err(Error::input)?;
    }
    let env = &process.env;
    let mounts = env.mounts().iter().map(|mount| mount.path.as_str());
    for path in mounts.chain(env.secrets().keys().map(String::as_str)) {
        for (own, what) in [(Some(STAGE), "the stage"), (secret, "the stage's secret")] {
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

    /// What a daemon is told, with its keys in order.
    fn told(process: &Process, parts: Parts<'_>) -> String {
        let mut told = serde_json::to_value(body(process, parts)).unwrap();
        told.sort_all_objects();
        serde_json::to_string_pretty(&told).unwrap()
    }

    #[test]
    fn a_bucket_needs_a_network_and_nothing_of_this_machine() {
        let reach = Reach {
            url: "gs://bucket/prefix".into(),
            directory: None,
            network: Network::Bridge,
            variables: BTreeMap::new(),
        };
        let parts = Parts {
            reach: &reach,
            limits: Limits::default(),
            binds: Vec::new(),
            user: NOBODY.into(),
            key_files: BTreeMap::new(),
            tmp: 4 << 30,
        };
        insta::assert_snapshot!(told(&Process::example(RunEnvironment::new()), parts));
    }

    #[test]
    fn everything_that_an_environment_names_is_there() {
        let reach = Reach {
            url: format!("file://{STAGE}"),
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
            // The guest's own variables stand in the manifest.
            .with_env("TOKEN", "hush");
        let bind = |source: &str, target: &str, access| Bind {
            source: source.into(),
            target: target.into(),
            access,
        };
        let parts = Parts {
            reach: &reach,
            limits: Limits::of(env.requests()).unwrap(),
            binds: vec![
                bind("/home/me/data", "/data", Access::ReadWrite),
                bind("/home/me/secrets/gcp-key", "/etc/gcloud", Access::ReadOnly),
                bind("/home/me/stage", STAGE, Access::ReadWrite),
            ],
            user: "1000:1000".into(),
            key_files: [("GOOGLE_APPLICATION_CREDENTIALS", "/etc/gcloud/key.json".into())].into(),
            tmp: 1 << 30,
        };
        let process =
            Process { image: Some("us.gcr.io/my-image:42".into()), ..Process::example(env) };
        insta::assert_snapshot!(told(&process, parts));
    }

    #[test]
    fn what_is_hype_runs_alone_lies_apart_from_the_guests() {
        let here = HostDirectory::new(".");
        let env = RunEnvironment::new;
        let secret = Some(StageSecret { name: "stage".into(), path: "/etc/stage".into() });
        for (env, told) in [
            (env().with_mount(here.mount_read_only("/run")), "`/run` and that of the stage"),
            (env().with_mount(here.mount_read_only("/run/hype/stage/a")), "that of the stage, "),
            (env().with_secret("key", "/etc"), "`/etc` and that of the stage's secret"),
            (env().with_secret("key", "/etc/stage"), "that of the stage's secret, `/etc/stage`"),
        ] {
            let process = Process { stage_secret: secret.clone(), ..Process::example(env) };
            let error = check_paths(&process).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        let good =
            env().with_secret("key", "/etc/gcloud").with_mount(here.mount_read_only("/data"));
        let good = Process { stage_secret: secret, ..Process::example(good) };
        assert!(check_paths(&good).is_ok());
        let path = "/proc/key".to_owned();
        let strange = Some(StageSecret { name: "stage".into(), path });
        assert!(check_paths(&Process { stage_secret: strange, ..good }).is_err());
    }
}
