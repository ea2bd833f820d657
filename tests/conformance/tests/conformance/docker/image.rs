//! Images: required contents, and pulling.

use std::process::Command;

use hype::{ErrorKind, RunEnvironment};
use test_guests::values::greet;

use super::{assert_gone, docker_output, submitter, wait};

/// An image that is removed when this is dropped.
pub(crate) struct Image(pub(crate) String);

impl Image {
    /// Names an image that the test creates itself.
    pub(crate) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Creates the tests' image with a changed configuration, such as `ENTRYPOINT [..]`.
    fn with(tag: &str, change: &str) -> Self {
        let container = docker_output(&["create", &std::env::var("HYPE_IMAGE").unwrap()]);
        let image = Self(format!("hype-test/{tag}:1"));
        docker_output(&["commit", "--change", change, &container, &image.0]);
        docker_output(&["rm", &container]);
        image
    }

    /// Creates an image without files.
    fn empty(tag: &str, change: &str) -> Self {
        let image = Self(format!("hype-test/{tag}:1"));
        let archive = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(archive.path(), [0; 1024]).unwrap();
        let path = archive.path().to_str().unwrap();
        docker_output(&["import", "--change", change, path, &image.0]);
        image
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // A test may have failed before it created the image.
        let _ = Command::new("docker").args(["rmi", &self.0]).output();
    }
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn image_without_hype_run_is_reported() {
    let (_stage, submitter) = submitter(|runner| runner);
    let mut runs = Vec::new();
    let mut report = |image: &Image| {
        let env = RunEnvironment::new().with_image(&image.0);
        let run = submitter.spawn(greet("you".into()), &env);
        runs.push(run.id().to_owned());
        let report = wait(run.wait()).unwrap_err().report();
        // The image can be removed only after its container.
        wait(submitter.clone().close()).unwrap();
        report
    };
    let empty = report(&Image::empty("empty", "ENTRYPOINT [\"hype-run\"]"));
    assert!(
        empty.starts_with("the image hype-test/empty:1 has no hype-run that can be"),
        "{empty}"
    );
    let none = report(&Image::empty("none", "CMD [\"hype-run\"]"));
    assert!(none.starts_with("the image hype-test/none:1 has no entrypoint"), "{none}");
    for report in [empty, none] {
        assert!(report.contains("ENTRYPOINT [\"hype-run\"]"), "{report}");
    }
    let wrong = report(&Image::with("wrong", "ENTRYPOINT [\"hype-run\", \"--no-such\"]"));
    assert!(
        wrong.contains("hype-run of the image hype-test/wrong:1 was started wrongly"),
        "{wrong}"
    );
    assert!(wrong.contains("its last lines:"), "{wrong}");
    drop(submitter);
    runs.iter().for_each(|run| assert_gone(run));
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn missing_outcome_is_reported() {
    let (_stage, submitter) = submitter(|runner| runner);
    // This entrypoint exits with status 0, whatever its arguments.
    let image = Image::with("idle", "ENTRYPOINT [\"hype-run\", \"--help\"]");
    let env = RunEnvironment::new().with_image(&image.0);
    let error = wait(submitter.submit(greet("you".into()), &env)).unwrap_err();
    assert!(error.is_lost(), "{error:?}");
    assert!(error.report().contains("ended well, and left no outcome in file:///"), "{error:?}");
    wait(submitter.close()).unwrap();
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn failed_image_pull_is_explained() {
    let (_stage, submitter) = submitter(|runner| runner);
    // No registry listens there.
    let env = RunEnvironment::new().with_image("127.0.0.1:1/none:1");
    let error = wait(submitter.submit(greet("you".into()), &env)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runner, "{error:?}");
    assert_eq!(error.to_string(), "cannot pull the image 127.0.0.1:1/none:1");
    assert!(error.report().contains("connection refused"), "{error:?}");
    assert!(error.report().contains("Hint: hype pulls without credentials"), "{error:?}");
}
