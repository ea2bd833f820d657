//! Properties of a container: rights, secrets, and access to a bucket.
//!
//! The suite tests what the guest sees; these tests check what `hype-run` sees.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use futures::StreamExt;
use hype::{RunEnvironment, Submitter, VolumeRequest};
use test_guests::surroundings::{read, say_then_wait_for, variables, write};
use test_storage_server::{Settings, StorageServer};

use super::waiting::Waiting;
use super::{assert_gone, containers, docker_output, submitter, wait};

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn container_has_requested_resources_and_no_privileges() {
    wait(async {
        let env = RunEnvironment::new().with_request("cpu", "500m").with_request("memory", "256Mi");
        let waiting = Waiting::start(&env).await;
        let format = "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} \
                      {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} \
                      {{.HostConfig.SecurityOpt}} {{.HostConfig.NetworkMode}} {{.Config.User}}";
        let user = std::fs::metadata(waiting.stage.path()).unwrap();
        let (uid, gid) = (user.uid(), user.gid());
        assert_eq!(
            docker_output(&["inspect", "--format", format, &waiting.container]),
            format!(
                "500000000 268435456 268435456 true [ALL] [no-new-privileges] none {uid}:{gid}"
            )
        );
        waiting.run.cancel().await.unwrap();
        assert_gone(waiting.container.trim_end_matches("-1"));
    });
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn secret_reaches_either_guest_or_stage() {
    let secrets = tempfile::tempdir().unwrap();
    for name in ["gcp-key", "stage"] {
        std::fs::create_dir(secrets.path().join(name)).unwrap();
        std::fs::write(secrets.path().join(name).join("key.json"), name).unwrap();
    }
    let (_stage, submitter) = submitter(|runner| runner.with_secrets(secrets.path()).unwrap());
    let env = RunEnvironment::new().with_secret("gcp-key", "/etc/gcloud");
    let key = || "/etc/gcloud/key.json".to_owned();
    assert_eq!(wait(submitter.submit(read(key()), &env)).unwrap(), "gcp-key");
    wait(submitter.submit(write(key(), "other".into()), &env)).unwrap_err();
    let seen = wait(submitter.submit(variables(), &env)).unwrap();
    assert_eq!(seen["GOOGLE_APPLICATION_CREDENTIALS"], key());

    let submitter = submitter.with_stage_secret("stage", "/etc/stage");
    let seen = wait(submitter.submit(variables(), &env)).unwrap();
    assert!(!seen.contains_key("GOOGLE_APPLICATION_CREDENTIALS"), "{seen:?}");
    wait(submitter.submit(read("/etc/stage/key.json".into()), &env)).unwrap_err();
    let around = RunEnvironment::new().with_secret("gcp-key", "/etc");
    let error = wait(submitter.submit(variables(), &around)).unwrap_err();
    assert!(error.to_string().contains("that of the stage's secret, `/etc/stage`"), "{error:?}");
}

const BUCKET: &str = "bucket";

/// With a stage in a bucket no directory of this machine is mounted, and the container runs as the user `nobody`. The
/// variable that names the bucket is process-wide, so another process submits.
#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn container_reaches_bucket_on_this_machine() {
    if std::env::var_os("STORAGE_EMULATOR_HOST").is_some() {
        return submit_through_a_bucket();
    }
    conformance::build_guests();
    let server = StorageServer::start(&Settings::new().with_bucket(BUCKET)).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "docker::container::container_reaches_bucket_on_this_machine",
            "--ignored",
        ])
        .env("STORAGE_EMULATOR_HOST", server.url())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}\n{errors}");
    let left = server.names(BUCKET);
    assert!(left.iter().all(|name| name.contains("/blobs/")), "{left:?}");
}

fn submit_through_a_bucket() {
    conformance::build_guests();
    let submitter = Submitter::docker_with(&format!("gs://{BUCKET}/some/prefix")).unwrap();
    let volume = VolumeRequest::transient("local-disk", "1Gi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_write("/volume"));
    wait(submitter.submit(write("/volume/word".into(), "one".into()), &env)).unwrap();
    let word = wait(submitter.submit(read("/volume/word".into()), &env)).unwrap();
    assert_eq!(word, "one");
    wait(async {
        let closure = say_then_wait_for("waiting".into(), "/volume/never".into());
        let run = submitter.spawn(closure, &env);
        run.logs().next().await.unwrap();
        let format = "{{.Config.User}} {{.HostConfig.NetworkMode}}";
        let container = containers(run.id());
        assert_eq!(docker_output(&["inspect", "--format", format, &container]), "65532:65532 host");
    });
}
