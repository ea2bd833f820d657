//! Leftovers of programs that are killed or interrupted, and their removal.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::StreamExt;
use hype::__internal::submitter_with_lease_term;
use hype::stage::CollectMode;
use hype::{DockerRunner, HostDirectory, LocalRunner, RunEnvironment, Stage, Submitter};
use test_guests::surroundings::say_then_wait_for;
use test_guests::values::greet;

use super::waiting::Waiting;
use super::{assert_gone, command_output, containers, docker_output, submitter, wait};

/// The lease term of the killed program and of the submitter that takes its run over.
const TERM: Duration = Duration::from_secs(1);

/// Starts `test` in another process, kills it once it has started a run, and returns the run's id.
fn run_left_by(test: &str, stage: &Path) -> String {
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

/// The body of that other process, which waits until it is killed.
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
fn attacher_takes_over_run_of_killed_program() {
    if let Some(stage) = std::env::var_os("TEST_STAGE") {
        return wait_in_a_container(Path::new(&stage));
    }
    let directory = tempfile::tempdir().unwrap();
    let run = run_left_by(
        "docker::leftovers::attacher_takes_over_run_of_killed_program",
        directory.path(),
    );
    assert_eq!(containers(&run), format!("{run}-1"));

    let stage = Stage::in_directory(directory.path()).unwrap();
    let submitter = submitter_with_lease_term(stage, DockerRunner::new().unwrap(), TERM).unwrap();
    let lease = || std::fs::read(directory.path().join("runs").join(&run).join("lease")).ok();
    let before = lease();
    // The container's label has the key that verifies the outcome.
    let attached = submitter.clone().with_strict_results().attach::<String>(&run);
    // Attaching takes over the lease, which is then renewed.
    while lease() == before {
        std::thread::yield_now();
    }
    std::fs::write(directory.path().join("signal/go"), "").unwrap();
    assert_eq!(wait(attached.wait()).unwrap(), "gone");
    assert_gone(&run);
}

/// A process that is killed when this is dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended, which is no error here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The container and the volume are removed before the program ends.
#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn ctrl_c_removes_container_and_volume() {
    conformance::build_guests();
    let stage = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_ended"))
        .arg("wait")
        .env("HYPE_SUBMITTER", "docker")
        .env("HYPE_STAGING", format!("file://{}", stage.path().display()))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut program = Program(child);
    let mut lines = BufReader::new(program.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let stderr: Vec<_> = lines.by_ref().take_while(|line| line != "waiting").collect();

    let runs = std::fs::read_dir(stage.path().join("runs")).unwrap();
    let runs: Vec<_> = runs.map(|run| run.unwrap().file_name().into_string().unwrap()).collect();
    let [run] = &runs[..] else { panic!("one run, not {runs:?}: {stderr:?}") };
    let container = containers(run);
    assert_eq!(container, format!("{run}-1"));
    let label = "com.spotify.hype/submitter";
    let format = format!("{{{{index .Config.Labels \"{label}\"}}}}");
    let submitter = docker_output(&["inspect", "--format", &format, &container]);
    let filter = format!("label={label}={submitter}");
    let volumes = || docker_output(&["volume", "ls", "--quiet", "--filter", &filter]);
    assert_eq!(volumes().lines().count(), 1);

    command_output("kill", &["-INT", &program.0.id().to_string()]);
    let stderr: Vec<_> = lines.collect();
    assert_eq!(program.0.wait().unwrap().code(), Some(130), "{stderr:?}");
    assert_eq!((containers(run), volumes()), (String::new(), String::new()));
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn attacher_removes_detached_container() {
    let (_stage, submitter) = submitter(|runner| runner);
    let run = submitter.spawn(greet("you".into()), &RunEnvironment::new());
    wait(run.logs().collect::<Vec<_>>());
    let run = wait(run.detach()).unwrap();
    assert_eq!(containers(&run), format!("{run}-1"));
    assert_eq!(wait(submitter.attach::<String>(&run).wait()).unwrap(), "hello you");
    assert_gone(&run);
}

/// A local submitter can't inspect containers.
#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn local_attacher_leaves_detached_container() {
    let Waiting { stage, signal, run, container } = wait(Waiting::start(&RunEnvironment::new()));
    let run = wait(run.detach()).unwrap();
    let stage = Stage::in_directory(stage.path()).unwrap();
    let local = Submitter::new(stage.clone(), LocalRunner::new().unwrap()).unwrap();
    let report = wait(local.attach::<String>(&run).wait()).unwrap_err().report();
    assert!(
        report.starts_with(&format!("{run} was started in Docker, by the daemon at")),
        "{report}"
    );
    assert!(report.contains("attach by Submitter::docker()"), "{report}");
    assert_eq!(containers(&run), container);
    std::fs::write(signal.path().join("go"), "").unwrap();
    let docker = Submitter::new(stage, DockerRunner::new().unwrap()).unwrap();
    let attached = docker.with_strict_results().attach::<String>(&run);
    assert_eq!(wait(attached.wait()).unwrap(), "gone");
    assert_gone(&run);
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn panicking_program_removes_its_container() {
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

/// A container or volume that a test creates itself; removed on drop.
pub(crate) struct DockerObject(pub(crate) &'static str, pub(crate) String);

impl Drop for DockerObject {
    fn drop(&mut self) {
        // A collection may have removed it.
        let _ = Command::new("docker").args([self.0, "rm", "--force", &self.1]).output();
    }
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn expired_containers_and_volumes_are_collected() {
    let (_stage, submitter) = submitter(|runner| runner);
    let image = std::env::var("HYPE_IMAGE").unwrap();
    let far = "com.spotify.hype/expiry=99999999999";
    let past = "com.spotify.hype/expiry=1";
    let container = |name: &str, expiry: &str| {
        let label = format!("com.spotify.hype/run={name}");
        docker_output(&["create", "--name", name, "--label", &label, "--label", expiry, &image]);
        DockerObject("container", name.to_owned())
    };
    let volume = |name: &str, life: &str| {
        let label = format!("com.spotify.hype/volume={life}");
        docker_output(&["volume", "create", "--label", &label, "--label", past, name]);
        DockerObject("volume", name.to_owned())
    };
    let _objects = [
        container("hype-test-old", past),
        container("hype-test-young", far),
        volume("hype-test-transient", "transient"),
        volume("hype-test-persistent", "persistent"),
    ];
    let expired = ["container hype-test-old", "volume hype-test-transient"];
    let count = || {
        let containers = docker_output(&[
            "ps",
            "--all",
            "--filter",
            "name=hype-test-",
            "--format",
            "{{.Names}}",
        ]);
        let volumes = docker_output(&[
            "volume",
            "ls",
            "--filter",
            "name=hype-test-",
            "--format",
            "{{.Name}}",
        ]);
        format!("{containers}\n{volumes}").lines().count()
    };
    // Other tests leave dead sockets.
    let collect = |mode| {
        let mut removed = wait(submitter.collect_leftovers(mode)).unwrap().removed;
        removed.retain(|name| !name.starts_with("socket "));
        removed
    };
    assert_eq!(collect(CollectMode::DryRun), expired);
    assert_eq!(count(), 4);
    assert_eq!(collect(CollectMode::Delete), expired);
    assert_eq!(count(), 2);
    assert_eq!(collect(CollectMode::Delete), [""; 0]);
}
