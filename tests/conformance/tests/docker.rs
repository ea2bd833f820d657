//! The Docker runner, with a real daemon: what every runner must do, and the ends that only containers
//! have.
//!
//! `HYPE_IMAGE` names an image with this version's `hype-run`, and the daemon is that of the `docker`
//! command, which the tests use to provoke what befalls containers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::sync::LazyLock;

use futures::StreamExt;
use hype::{
    DockerRunner, ErrorKind, HostDirectory, RunEnvironment, Stage, Submitter, VolumeRequest,
};
use test_guests::surroundings::{read, say, say_then_wait_for, variables, write};
use test_guests::values::greet;

/// One stage for all cases: they must not disturb each other. Each has a submitter, with which its
/// volumes go.
fn docker() -> hype::Result<Submitter> {
    static STAGE: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    Submitter::docker_with(&format!("file://{}", STAGE.path().display()))
}

conformance::suite!(
    docker(),
    #[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
);

/// What the `docker` command prints, which must do well.
fn told(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The names of the containers of a run, running or not.
fn containers(run: &str) -> String {
    let filter = format!("label=com.spotify.hype/run={run}");
    told(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"])
}

/// A submitter with a stage of its own, and what `change` makes of its runner.
fn submitter(change: impl FnOnce(DockerRunner) -> DockerRunner) -> (tempfile::TempDir, Submitter) {
    conformance::build_guests();
    let stage = tempfile::tempdir().unwrap();
    let runner = change(DockerRunner::new().unwrap());
    let submitter = Submitter::new(Stage::in_directory(stage.path()).unwrap(), runner);
    (stage, submitter.unwrap())
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

/// An image that is there as long as a test.
struct Image(String);

impl Image {
    /// That of the tests with another configuration, such as `ENTRYPOINT [..]`.
    fn with(tag: &str, change: &str) -> Self {
        let container = told(&["create", &std::env::var("HYPE_IMAGE").unwrap()]);
        let image = Self(format!("hype-test/{tag}:1"));
        told(&["commit", "--change", change, &container, &image.0]);
        told(&["rm", &container]);
        image
    }

    /// One with nothing in it.
    fn empty(tag: &str, change: &str) -> Self {
        let image = Self(format!("hype-test/{tag}:1"));
        let archive = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(archive.path(), [0; 1024]).unwrap();
        let path = archive.path().to_str().unwrap();
        told(&["import", "--change", change, path, &image.0]);
        image
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // A test that failed before it was made has nothing to remove.
        let _ = Command::new("docker").args(["rmi", &self.0]).output();
    }
}

/// A closure that has said "waiting", and its container.
struct Waiting {
    _directories: [tempfile::TempDir; 2],
    run: hype::Run<String>,
    container: String,
}

impl Waiting {
    async fn start(env: &RunEnvironment) -> Self {
        Self::start_with(env, |runner| runner).await
    }

    async fn start_with(
        env: &RunEnvironment,
        change: impl FnOnce(DockerRunner) -> DockerRunner,
    ) -> Self {
        let (stage, submitter) = submitter(change);
        let directory = tempfile::tempdir().unwrap();
        let mount = HostDirectory::new(directory.path()).mount_read_only("/signal");
        let closure = say_then_wait_for("waiting".into(), "/signal/go".into());
        let run = submitter.spawn(closure, &env.with_mount(mount));
        let line = run.logs().next().await.unwrap();
        assert_eq!(line.text, "waiting");
        let container = containers(run.id());
        assert_eq!(container, format!("{}-1", run.id()));
        Self { _directories: [stage, directory], run, container }
    }

    /// The error that it ends with; its container is gone then.
    async fn lost(self) -> String {
        let id = self.run.id().to_owned();
        let error = self.run.wait().await.unwrap_err();
        assert!(error.is_lost(), "{error:?}");
        assert_gone(&id);
        error.report()
    }
}

/// Once a submitter is gone, so is what it made.
fn assert_gone(run: &str) {
    assert_eq!(containers(run), "");
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_killed_container_is_told_apart() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        told(&["kill", &waiting.container]);
        let report = waiting.lost().await;
        assert!(report.contains("-1 was killed (status 137)"), "{report}");
        assert!(report.contains("1: its last lines:\n      waiting\n"), "{report}");
    });
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_removed_container_is_told_apart() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        told(&["rm", "--force", &waiting.container]);
        let report = waiting.lost().await;
        assert!(report.contains("somebody removed container hype-run-"), "{report}");
    });
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_container_that_is_told_to_stop_leaves_an_outcome() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        told(&["stop", &waiting.container]);
        let error = waiting.run.wait().await.unwrap_err();
        assert_eq!(error.failure().unwrap().kind, hype::FailureKind::Interrupted, "{error:?}");
        assert!(error.is_infrastructure());
    });
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_container_without_memory_is_told_apart() {
    let (_stage, submitter) = submitter(|runner| runner);
    let env = RunEnvironment::new().with_request("memory", "96Mi");
    let error = wait(submitter.submit(test_guests::ends::hoard(), &env)).unwrap_err();
    let report = error.report();
    assert!(error.is_lost(), "{report}");
    assert!(report.contains("was killed: it used up its memory of 96Mi"), "{report}");
    assert!(report.contains("Hint: raise the memory request"), "{report}");
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn an_image_without_hype_run_is_told_apart() {
    let (_stage, submitter) = submitter(|runner| runner);
    let mut runs = Vec::new();
    let mut report = |image: &Image| {
        let env = RunEnvironment::new().with_image(&image.0);
        let run = submitter.spawn(greet("you".into()), &env);
        runs.push(run.id().to_owned());
        wait(run.wait()).unwrap_err().report()
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
fn a_missing_outcome_is_told_apart() {
    let (_stage, submitter) = submitter(|runner| runner);
    // It ends with status 0, whatever else it is told.
    let image = Image::with("idle", "ENTRYPOINT [\"hype-run\", \"--help\"]");
    let env = RunEnvironment::new().with_image(&image.0);
    let error = wait(submitter.submit(greet("you".into()), &env)).unwrap_err();
    assert!(error.is_lost(), "{error:?}");
    assert!(error.report().contains("ended well, and left no outcome in file:///"), "{error:?}");
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn an_image_that_cannot_be_pulled_says_why() {
    let (_stage, submitter) = submitter(|runner| runner);
    // Nothing listens there.
    let env = RunEnvironment::new().with_image("127.0.0.1:1/none:1");
    let error = wait(submitter.submit(greet("you".into()), &env)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runner, "{error:?}");
    assert_eq!(error.to_string(), "cannot pull the image 127.0.0.1:1/none:1");
    assert!(error.report().contains("connection refused"), "{error:?}");
    assert!(error.report().contains("Hint: hype pulls without credentials"), "{error:?}");
}
