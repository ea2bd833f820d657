//! The container of an attempt: a pure function of what is known before it is made.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
};
use hype_wire::launch::{self, Invocation, KeySource};
use hype_wire::{Access, names};

use super::limits::Limits;
use super::reach::{Network, Reach, STAGE};
use crate::environment::mount::Source;
use crate::error::{Error, Result};
use crate::run::lease;
use crate::runner::{Attempt, labels};

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

/// What a container is made of besides what stands in its attempt.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) image: &'a str,
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
    /// From when on it may be removed, as labels say it.
    pub(crate) expiry: String,
}

/// The container's name.
pub(crate) fn name(attempt: &Attempt) -> String {
    format!("{}-{}", attempt.run_id, attempt.number)
}

/// What the daemon is told to make.
pub(crate) fn body(attempt: &Attempt, parts: Parts<'_>) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(parts.image.to_owned()),
        cmd: Some(arguments(attempt, parts.reach)),
        env: Some(variables(attempt, &parts)),
        labels: Some(labels(attempt, &parts.expiry)),
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
        host_config: Some(host_config(attempt, parts)),
        ..Default::default()
    }
}

fn arguments(attempt: &Attempt, reach: &Reach) -> Vec<String> {
    let manifest = format!("{}/{}", reach.url, names::manifest(&attempt.run_id));
    let mut invocation = Invocation::new(manifest);
    invocation.digest = Some(attempt.manifest_digest);
    invocation.key = Some(KeySource::StandardInput);
    invocation.to_args()
}

fn variables(attempt: &Attempt, parts: &Parts<'_>) -> Vec<String> {
    let mut variables = parts.reach.variables.clone();
    variables.insert(launch::EXECUTION_ID.into(), attempt.run_id.clone());
    variables.insert(launch::ATTEMPT.into(), attempt.number.to_string());
    let key_files = parts.key_files.iter();
    variables.extend(key_files.map(|(name, path)| ((*name).to_owned(), path.clone())));
    variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn labels(attempt: &Attempt, expiry: &str) -> HashMap<String, String> {
    let key = attempt.key.reveal();
    let labels = [
        (labels::RUN, attempt.run_id.as_str()),
        (labels::SUBMITTER, lease::owner()),
        (labels::FUNCTION, &attempt.function),
        (labels::COMPONENT, &attempt.component),
        (labels::EXPIRY, expiry),
        (labels::KEY, &key),
    ];
    labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn host_config(attempt: &Attempt, parts: Parts<'_>) -> HostConfig {
    let network = match parts.reach.network {
        Network::Nothing if attempt.env.powers().need_network() => "bridge",
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
        mounts: Some(mounts(attempt, parts.binds)),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(log_options.map(|(name, value)| (name.into(), value.into())).into()),
        }),
        ..Default::default()
    }
}

fn mounts(attempt: &Attempt, binds: Vec<Bind>) -> Vec<Mount> {
    let mount = |typ, source, target, access| Mount {
        typ: Some(typ),
        source: Some(source),
        target: Some(target),
        read_only: Some(access == Access::ReadOnly),
        ..Default::default()
    };
    let volumes = attempt.env.mounts().iter().filter_map(|it| match &it.source {
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
pub(crate) fn check_paths(attempt: &Attempt) -> Result<()> {
    let secret = attempt.stage_secret.as_ref().map(|secret| secret.path.as_str());
    if let Some(path) = secret {
        hype_wire::check_guest_path(path).map_err(Error::input)?;
    }
    let env = &attempt.env;
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
    use crate::cleanup::background::Background;
    use crate::cleanup::owned::Owned;
    use crate::environment::RunEnvironment;
    use crate::environment::mount::{HostDirectory, VolumeRequest};
    use crate::run::handover::Handover;
    use crate::run::log::Log;
    use crate::runner::StageSecret;
    use hype_wire::{Digest, RunKey};

    fn attempt(env: RunEnvironment) -> Attempt {
        Attempt {
            run_id: "hype-run-abcdefghij".into(),
            number: 2,
            function: "train".into(),
            component: "models.wasm".into(),
            manifest_url: "gs://bucket/prefix/runs/hype-run-abcdefghij/manifest".into(),
            manifest_digest: Digest::of(b"manifest"),
            image: None,
            env,
            key: RunKey::new([7; 32]),
            stage_secret: None,
            disk: 0,
            log: Log::new("run"),
            owned: Owned::of_submitter(&Background::start().unwrap()),
            handover: Handover::new(),
        }
    }

    /// What a daemon is told, with its keys in order and the name of this process's own left out.
    fn told(attempt: &Attempt, parts: Parts<'_>) -> String {
        let mut told = serde_json::to_value(body(attempt, parts)).unwrap();
        told["Labels"][labels::SUBMITTER] = "hype-owner".into();
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
            image: "spotify/hype:1.2.3",
            reach: &reach,
            limits: Limits::default(),
            binds: Vec::new(),
            user: NOBODY.into(),
            key_files: BTreeMap::new(),
            tmp: 4 << 30,
            expiry: "1800000000".into(),
        };
        insta::assert_snapshot!(told(&attempt(RunEnvironment::new()), parts));
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
            image: "us.gcr.io/my-image:42",
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
            expiry: "1800000000".into(),
        };
        insta::assert_snapshot!(told(&attempt(env), parts));
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
            let attempt = Attempt { stage_secret: secret.clone(), ..attempt(env) };
            let error = check_paths(&attempt).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        let good =
            env().with_secret("key", "/etc/gcloud").with_mount(here.mount_read_only("/data"));
        let good = Attempt { stage_secret: secret, ..attempt(good) };
        assert!(check_paths(&good).is_ok());
        let path = "/proc/key".to_owned();
        let strange = Some(StageSecret { name: "stage".into(), path });
        assert!(check_paths(&Attempt { stage_secret: strange, ..good }).is_err());
    }
}
