//! Docker volumes.

use hype::{ErrorKind, RunEnvironment, VolumeRequest};
use test_guests::surroundings::{read, write};

use super::leftovers::DockerObject;
use super::{docker_output, submitter, wait};

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn submitter_removes_transient_volume() {
    let (_stage, submitter) = submitter(|runner| runner);
    let volume = VolumeRequest::transient("local-disk", "1Gi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_write("/volume"));
    wait(submitter.submit(write("/volume/word".into(), "one".into()), &env)).unwrap();
    let filter = format!("name={}", volume.name());
    let volumes = || docker_output(&["volume", "ls", "--quiet", "--filter", &filter]);
    assert_eq!(volumes(), volume.name());
    drop(submitter);
    assert_eq!(volumes(), "");
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn persistent_volume_is_found_again() {
    let name = format!("hype-test-kept-{}", std::process::id());
    let _volume = DockerObject("volume", name.clone());
    let env = |size: &str| {
        let volume = VolumeRequest::persistent(&name, "local-disk", size);
        RunEnvironment::new().with_mount(volume.mount_read_write("/volume"))
    };
    let (_stage, one) = submitter(|runner| runner);
    wait(one.submit(write("/volume/word".into(), "one".into()), &env("1Gi"))).unwrap();
    drop(one);
    let (_stage, other) = submitter(|runner| runner);
    assert_eq!(wait(other.submit(read("/volume/word".into()), &env("1Gi"))).unwrap(), "one");
    let error = wait(other.submit(read("/volume/word".into()), &env("2Gi"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("local-disk 1Gi, but local-disk 2Gi were"), "{error:?}");
}
