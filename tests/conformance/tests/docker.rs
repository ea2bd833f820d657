//! The Docker runner, with a real daemon: what every runner must do, and the ends that only containers
//! have.
//!
//! `HYPE_IMAGE` names an image with this version's `hype-run`, and the daemon is that of the `docker`
//! command, which the tests use to provoke what befalls containers.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use futures::StreamExt;
use hype::__internal::submitter_with_lease_term;
use hype::VolumeRequest;
use hype::{DockerRunner, ErrorKind, HostDirectory, Removal, RunEnvironment, Stage, Submitter};
use test_guests::surroundings::{read, say_then_wait_for, variables, write};
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
    stage: tempfile::TempDir,
    signal: tempfile::TempDir,
    run: hype::Run<String>,
    container: String,
}

impl Waiting {
    async fn start(env: &RunEnvironment) -> Self {
        let waiting = Self::begin(env, DockerRunner::new().unwrap()).await;
        assert_eq!(containers(waiting.run.id()), waiting.container);
        waiting
    }

    async fn begin(env: &RunEnvironment, runner: DockerRunner) -> Self {
        let (stage, submitter) = submitter(|_| runner);
        let signal = tempfile::tempdir().unwrap();
        let mount = HostDirectory::new(signal.path()).mount_read_only("/signal");
        let closure = say_then_wait_for("waiting".into(), "/signal/go".into());
        let run = submitter.spawn(closure, &env.with_mount(mount));
        let line = run.logs().next().await.map(|line| line.text);
        if line.as_deref() != Some("waiting") {
            panic!("{:?}", run.wait().await);
        }
        let container = format!("{}-1", run.id());
        Self { stage, signal, run, container }
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

/// The lease term of the program that is killed, and of who takes its run over.
const TERM: Duration = Duration::from_secs(1);

/// The name of a run that `test` began in a process of its own, which was killed.
fn left_by(test: &str, stage: &Path) -> String {
    conformance::build_guests();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("TEST_STAGE", stage)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut names = lines.map(Result::unwrap).filter(|line| line.starts_with("hype-run-"));
    let name = names.next().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    name
}

/// What that process does until it is killed.
fn wait_in_a_container(stage: &Path) {
    let signal = stage.join("signal");
    std::fs::create_dir(&signal).unwrap();
    let stage = Stage::in_directory(stage).unwrap();
    let submitter = submitter_with_lease_term(stage, DockerRunner::new().unwrap(), TERM).unwrap();
    wait(async {
        let mount = HostDirectory::new(&signal).mount_read_only("/signal");
        let closure = say_then_wait_for("waiting".into(), "/signal/go".into());
        let run = submitter.spawn(closure, &RunEnvironment::new().with_mount(mount));
        run.logs().next().await.unwrap();
        eprintln!("\n{}", run.id());
        std::future::pending::<()>().await;
    });
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn what_a_killed_program_left_is_taken_over() {
    if let Some(stage) = std::env::var_os("TEST_STAGE") {
        return wait_in_a_container(Path::new(&stage));
    }
    let directory = tempfile::tempdir().unwrap();
    let run = left_by("what_a_killed_program_left_is_taken_over", directory.path());
    assert_eq!(containers(&run), format!("{run}-1"));

    let stage = Stage::in_directory(directory.path()).unwrap();
    let submitter = submitter_with_lease_term(stage, DockerRunner::new().unwrap(), TERM).unwrap();
    let lease = || std::fs::read(directory.path().join("runs").join(&run).join("lease")).ok();
    let before = lease();
    // The container has the key by which the outcome is verified.
    let attached = submitter.clone().with_strict_results().attach::<String>(&run);
    // Who takes it over renews its lease.
    while lease() == before {
        std::thread::yield_now();
    }
    std::fs::write(directory.path().join("signal/go"), "").unwrap();
    assert_eq!(wait(attached.wait()).unwrap(), "gone");
    assert_gone(&run);
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_detached_container_goes_with_who_attaches() {
    let (_stage, submitter) = submitter(|runner| runner);
    let run = submitter.spawn(greet("you".into()), &RunEnvironment::new());
    wait(run.logs().collect::<Vec<_>>());
    let run = run.detach();
    assert_eq!(containers(&run), format!("{run}-1"));
    assert_eq!(wait(submitter.attach::<String>(&run).wait()).unwrap(), "hello you");
    assert_gone(&run);
}

/// A container or a volume that a test makes by hand.
struct Thing(&'static str, String);

impl Drop for Thing {
    fn drop(&mut self) {
        // What was collected is gone.
        let _ = Command::new("docker").args([self.0, "rm", "--force", &self.1]).output();
    }
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn what_expired_is_collected() {
    let (_stage, submitter) = submitter(|runner| runner);
    let image = std::env::var("HYPE_IMAGE").unwrap();
    let far = "com.spotify.hype/expiry=99999999999";
    let past = "com.spotify.hype/expiry=1";
    let container = |name: &str, expiry: &str| {
        let label = format!("com.spotify.hype/run={name}");
        told(&["create", "--name", name, "--label", &label, "--label", expiry, &image]);
        Thing("container", name.to_owned())
    };
    let volume = |name: &str, life: &str| {
        let label = format!("com.spotify.hype/volume={life}");
        told(&["volume", "create", "--label", &label, "--label", past, name]);
        Thing("volume", name.to_owned())
    };
    let _things = [
        container("hype-test-old", past),
        container("hype-test-young", far),
        volume("hype-test-transient", "transient"),
        volume("hype-test-persistent", "persistent"),
    ];
    let expired = ["container hype-test-old", "volume hype-test-transient"];
    let there = || {
        let containers =
            told(&["ps", "--all", "--filter", "name=hype-test-", "--format", "{{.Names}}"]);
        let volumes =
            told(&["volume", "ls", "--filter", "name=hype-test-", "--format", "{{.Name}}"]);
        format!("{containers}\n{volumes}").lines().count()
    };
    assert_eq!(wait(submitter.collect_leftovers(Removal::DryRun)).unwrap(), expired);
    assert_eq!(there(), 4);
    assert_eq!(wait(submitter.collect_leftovers(Removal::Real)).unwrap(), expired);
    assert_eq!(there(), 2);
    assert_eq!(wait(submitter.collect_leftovers(Removal::Real)).unwrap(), [""; 0]);
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn persistent_volumes_are_found_again() {
    let name = format!("hype-test-kept-{}", std::process::id());
    let _volume = Thing("volume", name.clone());
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
    assert!(error.to_string().contains("local-disk 1Gi, and local-disk 2Gi were"), "{error:?}");
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn secrets_are_the_guests_or_the_stages() {
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

/// The guest's surroundings are tested by the suite; these are those of `hype-run`.
#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_container_has_what_was_asked_for_and_no_more() {
    wait(async {
        let env = RunEnvironment::new().with_request("cpu", "500m").with_request("memory", "256Mi");
        let waiting = Waiting::start(&env).await;
        let format = "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} \
                      {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} \
                      {{.HostConfig.SecurityOpt}} {{.HostConfig.NetworkMode}} {{.Config.User}}";
        let user = std::fs::metadata(waiting.stage.path()).unwrap();
        let (uid, gid) = (user.uid(), user.gid());
        assert_eq!(
            told(&["inspect", "--format", format, &waiting.container]),
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
fn a_program_that_panics_leaves_no_container() {
    let (_stage, submitter) = submitter(|runner| runner);
    let mut run = String::new();
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait(async {
            let closure = say_then_wait_for("waiting".into(), "/never".into());
            let spawned = submitter.spawn(closure, &RunEnvironment::new());
            spawned.logs().next().await.unwrap();
            run = spawned.id().to_owned();
            assert_eq!(containers(&run), format!("{run}-1"));
            let _owned = submitter;
            panic!("in the middle");
        });
    }));
    assert!(unwound.is_err());
    assert_gone(&run);
}

/// A daemon of the test's own, which it can stop.
struct Daemon {
    directory: tempfile::TempDir,
    child: Option<Child>,
    options: &'static [&'static str],
}

impl Daemon {
    fn start(options: &'static [&'static str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut daemon = Self { directory, child: None, options };
        daemon.restart();
        let image = std::env::var("HYPE_IMAGE").unwrap();
        let archive = daemon.path("image.tar");
        told(&["save", "--output", &archive, &image]);
        daemon.told(&["load", "--input", &archive]);
        daemon
    }

    /// Starts it, and waits until it answers.
    fn restart(&mut self) {
        let host = self.host();
        let log = std::fs::File::create(self.path("log")).unwrap();
        let child = Command::new("dockerd")
            .args(["--host", &host, "--data-root", &self.path("data")])
            .args(["--exec-root", &self.path("exec"), "--pidfile", &self.path("pid")])
            .args(["--bridge=none", "--iptables=false", "--ip-masq=false"])
            .args(self.options)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("dockerd, as root"));
        let answers = || {
            let asked = Command::new("docker").args(["--host", &host, "version"]).output();
            asked.unwrap().status.success()
        };
        while !answers() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            let log = || std::fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(ended.is_none(), "dockerd ended: {}", log());
        }
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that has ended is stopped.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }

    fn kill(&mut self) {
        let containerd = std::fs::read_to_string(self.path("exec/containerd/containerd.pid"));
        let containerd = Path::new("/proc").join(containerd.unwrap().trim());
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // It goes with its parent; a daemon that still finds it there would wait for it in vain.
        while containerd.exists() {
            std::thread::yield_now();
        }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn host(&self) -> String {
        format!("unix://{}", self.path("docker.sock"))
    }

    fn told(&self, arguments: &[&str]) -> String {
        told(&[&["--host", &self.host()], arguments].concat())
    }

    /// A closure that has said "waiting", of a runner that waits so long for its daemon.
    async fn waiting(&self, patience: Duration) -> Waiting {
        let runner = DockerRunner::at(&self.host()).unwrap().with_patience(patience).unwrap();
        Waiting::begin(&RunEnvironment::new(), runner).await
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_daemon_that_stops_interrupts_and_is_waited_for() {
    let mut daemon = Daemon::start(&[]);
    wait(async {
        let waiting = daemon.waiting(Duration::from_secs(300)).await;
        daemon.stop();
        daemon.restart();
        let error = waiting.run.wait().await.unwrap_err();
        assert_eq!(error.failure().unwrap().kind, hype::FailureKind::Interrupted, "{error:?}");
    });
    assert_eq!(daemon.told(&["ps", "--all", "--quiet"]), "");
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_daemon_that_goes_for_good_is_told_apart() {
    let mut daemon = Daemon::start(&[]);
    wait(async {
        let Waiting { run, container, .. } = daemon.waiting(Duration::from_secs(1)).await;
        // One that is told to stop would let its containers end first.
        daemon.kill();
        let error = run.wait().await.unwrap_err();
        assert!(error.is_lost(), "{error:?}");
        assert!(error.report().contains("docker.sock went away while"), "{error:?}");
        assert!(error.report().contains("and didn't come back within 1s"), "{error:?}");
        // What it left would go on without it.
        daemon.restart();
        daemon.told(&["rm", "--force", &container]);
    });
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_daemon_that_keeps_its_containers_may_be_restarted() {
    let mut daemon = Daemon::start(&["--live-restore"]);
    wait(async {
        let waiting = daemon.waiting(Duration::from_secs(300)).await;
        daemon.stop();
        daemon.restart();
        std::fs::write(waiting.signal.path().join("go"), "").unwrap();
        assert_eq!(waiting.run.wait().await.unwrap(), "gone");
    });
    assert_eq!(daemon.told(&["ps", "--all", "--quiet"]), "");
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_daemon_that_is_not_there_says_where_it_should_be() {
    conformance::build_guests();
    let stage = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(stage.path()).unwrap();
    let runner = DockerRunner::at("unix:///no/such/docker.sock").unwrap();
    let submitter = Submitter::new(stage, runner).unwrap();
    let error = wait(submitter.submit(greet("you".into()), &RunEnvironment::new())).unwrap_err();
    assert_eq!((error.kind(), error.exit_code()), (ErrorKind::Runner, 3));
    let told = "cannot reach the Docker daemon at unix:///no/such/docker.sock";
    assert_eq!(error.to_string(), told);
    assert!(error.report().contains("Hint: is it running? DOCKER_HOST"), "{error:?}");
}
