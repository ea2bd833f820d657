//! Daemons that stop, that come back, and that were never there.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use hype::{DockerRunner, ErrorKind, RunEnvironment, Stage, Submitter};
use test_guests::values::greet;

use super::waiting::Waiting;
use super::{told, wait};

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
        // Without a bridge it would remove that of another daemon in the same network.
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
