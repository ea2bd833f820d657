//! Daemons that stop, come back, or were never running.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use hype::{DockerRunner, ErrorKind, RunEnvironment, Stage, Submitter};
use test_guests::values::greet;

use super::waiting::Waiting;
use super::{docker_output, wait};

/// A Docker daemon that the test can stop.
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
        docker_output(&["save", "--output", &archive, &image]);
        daemon.docker(&["load", "--input", &archive]);
        daemon
    }

    /// Starts the daemon and waits until it answers.
    fn restart(&mut self) {
        let host = self.host();
        let log = std::fs::File::create(self.path("log")).unwrap();
        // With a bridge, it would remove the bridge of another daemon in the same network namespace.
        let child = Command::new("unshare")
            .args(["--net", "dockerd", "--host", &host, "--data-root", &self.path("data")])
            .args(["--exec-root", &self.path("exec"), "--pidfile", &self.path("pid")])
            .args(["--bridge=none", "--iptables=false", "--ip-masq=false"])
            .args(self.options)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("unshare, as root"));
        let answers = || {
            let answer = Command::new("docker").args(["--host", &host, "version"]).output();
            answer.unwrap().status.success()
        };
        while !answers() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            let log = || std::fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(ended.is_none(), "dockerd ended: {}", log());
        }
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
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
        // containerd ends with its parent; a new daemon that still finds it running would wait for it in vain.
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

    fn docker(&self, arguments: &[&str]) -> String {
        docker_output(&[&["--host", &self.host()], arguments].concat())
    }

    /// Starts a closure and waits for its "waiting", with this timeout for an unreachable daemon.
    async fn waiting(&self, patience: Duration) -> Waiting {
        let runner =
            DockerRunner::at(&self.host()).unwrap().with_reconnect_timeout(patience).unwrap();
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
fn stopping_daemon_interrupts_run() {
    let mut daemon = Daemon::start(&[]);
    wait(async {
        let waiting = daemon.waiting(Duration::from_secs(300)).await;
        daemon.stop();
        daemon.restart();
        let error = waiting.run.wait().await.unwrap_err();
        assert_eq!(error.failure().unwrap().kind, hype::FailureKind::Interrupted, "{error:?}");
    });
    assert_eq!(daemon.docker(&["ps", "--all", "--quiet"]), "");
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn daemon_that_never_returns_loses_run() {
    let mut daemon = Daemon::start(&[]);
    wait(async {
        let Waiting { run, container, .. } = daemon.waiting(Duration::from_secs(1)).await;
        // SIGTERM would let the daemon stop its containers first.
        daemon.kill();
        let error = run.wait().await.unwrap_err();
        assert!(error.is_lost(), "{error:?}");
        assert!(error.report().contains("docker.sock was unreachable for 1s"), "{error:?}");
        // The container would keep running.
        daemon.restart();
        daemon.docker(&["rm", "--force", &container]);
    });
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn run_survives_daemon_with_live_restore() {
    let mut daemon = Daemon::start(&["--live-restore"]);
    wait(async {
        let waiting = daemon.waiting(Duration::from_secs(300)).await;
        daemon.stop();
        daemon.restart();
        std::fs::write(waiting.signal.path().join("go"), "").unwrap();
        assert_eq!(waiting.run.wait().await.unwrap(), "gone");
    });
    assert_eq!(daemon.docker(&["ps", "--all", "--quiet"]), "");
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn unreachable_daemon_error_names_its_address() {
    conformance::build_guests();
    let stage = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(stage.path()).unwrap();
    let runner = DockerRunner::at("unix:///no/such/docker.sock").unwrap();
    let submitter = Submitter::new(stage, runner).unwrap();
    let error = wait(submitter.submit(greet("you".into()), &RunEnvironment::new())).unwrap_err();
    assert_eq!((error.kind(), error.exit_code()), (ErrorKind::Runner, 3));
    let message = "cannot reach the Docker daemon at unix:///no/such/docker.sock";
    assert_eq!(error.to_string(), message);
    assert!(
        error
            .report()
            .contains("Hint: check that it is running, or select another one by DOCKER_HOST"),
        "{error:?}"
    );
}
