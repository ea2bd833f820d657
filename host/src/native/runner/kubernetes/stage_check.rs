//! Checks that Pods can reach a stage.

use hype_stage::Stage;
use hype_wire::is_below;

use crate::configuration::Key;
use crate::environment::RunEnvironment;
use crate::environment::pod_base;
use crate::error::{Error, Result};
use crate::runner::endpoints::Endpoints;

/// Checks that Pods of `env` can reach the stage at `url`. A directory stage must be mounted at the same path.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if they can't.
pub(crate) fn check_stage(url: &str, env: &RunEnvironment) -> Result<()> {
    let bucket =
        "stage in a bucket: HYPE_STAGING=gs://bucket/prefix, or Submitter::kubernetes_with";
    let unreachable = |hint: String| {
        let message = format!("the Pods of a cluster cannot reach the stage {url}");
        Err(Error::input(message).hint(hint).concerning(Key::Staging))
    };
    if let Some(directory) = Stage::directory_of(url)? {
        let of_base = env.placement().base.as_ref().and_then(pod_base::container);
        let of_base = of_base.and_then(|container| container.volume_mounts.as_ref());
        let of_base = of_base.into_iter().flatten().map(|mount| mount.mount_path.as_str());
        let mut paths = of_base.chain(env.mounts().iter().map(|mount| mount.path.as_str()));
        let directory = directory.to_string_lossy();
        if paths.any(|path| path != "/tmp" && is_below(&directory, path)) {
            return Ok(());
        }
        return unreachable(format!("{bucket}; or mount that path in the Pod's YAML"));
    }
    match Endpoints::of(url, |_| None) {
        Some(_) => Ok(()),
        None => unreachable(bucket.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::mount::HostDirectory;

    #[test]
    fn directory_stage_needs_a_mount_at_the_same_path() {
        let plain = RunEnvironment::new();
        let mounted = |path: &str| {
            let yaml = format!(
                "spec: {{containers: [{{name: hype-run, volumeMounts: [{{name: v, mountPath: {path}}}]}}]}}"
            );
            RunEnvironment::from_yaml_str(&yaml).unwrap()
        };
        let of_env = plain.with_mount(HostDirectory::new("/srv").mount_read_write("/srv"));
        let url = "file:///srv/stage";
        for env in [&mounted("/srv"), &mounted("/srv/stage"), &of_env] {
            assert!(check_stage(url, env).is_ok());
        }
        for env in [&plain, &mounted("/srv/other"), &mounted("/tmp")] {
            let report = check_stage(url, env).unwrap_err().report();
            assert!(
                report
                    .starts_with("the Pods of a cluster cannot reach the stage file:///srv/stage"),
                "{report}"
            );
            assert!(report.contains("HYPE_STAGING=gs://"), "{report}");
        }
        assert!(check_stage("file:///tmp/stage", &mounted("/tmp")).is_err());
        assert!(check_stage("memory://name", &plain).is_err());
        assert!(check_stage("gs://bucket/prefix", &plain).is_ok());
    }
}
