//! The cluster, as who submits sees it and as its administrator does.

use std::io::Write;
use std::process::{Command, Stdio};

use futures::StreamExt;
use hype::{HostDirectory, KubernetesRunner, RunEnvironment, Stage, Submitter};
use test_guests::surroundings::say_then_wait_for;

/// The namespace of who submits.
pub(crate) const NAMESPACE: &str = "closures";

/// What the tests show Pods of this machine belongs to root.
const POD: &str = "spec: {securityContext: {runAsUser: 0}, containers: [{name: hype-run}]}";

pub(crate) fn kubernetes() -> hype::Result<Submitter> {
    submitter(|runner| runner)
}

/// A submitter with what `change` makes of its runner.
pub(crate) fn submitter(
    change: impl FnOnce(KubernetesRunner) -> KubernetesRunner,
) -> hype::Result<Submitter> {
    conformance::build_guests();
    let runner = change(KubernetesRunner::new()?.with_yaml_str(POD)?);
    Submitter::new(Stage::open_or_make(&std::env::var("HYPE_STAGING").unwrap())?, runner)
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

pub(crate) fn kubectl() -> Command {
    let mut kubectl = Command::new("kubectl");
    kubectl.env("KUBECONFIG", std::env::var("HYPE_TEST_ADMIN").unwrap());
    kubectl
}

/// What `kubectl` prints for an administrator, which must do well.
pub(crate) fn told(arguments: &[&str]) -> String {
    let output = kubectl().args(["--namespace", NAMESPACE]).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What is made of a YAML, as long as a test.
pub(crate) struct Applied(String);

impl Applied {
    pub(crate) fn new(yaml: &str) -> Self {
        // What begins with a brace would be taken for JSON.
        let applied = Self(format!("---\n{yaml}"));
        assert!(applied.kubectl(&["apply"]), "{yaml}");
        applied
    }

    fn kubectl(&self, arguments: &[&str]) -> bool {
        // What names a namespace is refused with another.
        let namespace = if self.0.contains("namespace: ") { "" } else { NAMESPACE };
        let mut child = kubectl()
            .args(arguments)
            .args(["--namespace", namespace])
            .args(["--filename", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(self.0.as_bytes()).unwrap();
        child.wait().unwrap().success()
    }
}

impl Drop for Applied {
    fn drop(&mut self) {
        self.kubectl(&["delete", "--ignore-not-found"]);
    }
}

/// What is there of a run: Pods and Secrets.
pub(crate) fn there(run: &str) -> String {
    let selector = format!("com.spotify.hype/run={run}");
    told(&["get", "pods,secrets", "--selector", &selector, "--output", "name"])
}

/// Once a submitter is gone, so is what it made.
pub(crate) fn assert_gone(run: &str) {
    assert_eq!(there(run), "");
}

/// A claim that was removed goes a moment after the last Pod that has it.
pub(crate) fn assert_claim_goes(name: &str) {
    let claim = format!("pvc/{name}");
    // What is gone already is an error of it.
    kubectl()
        .args(["--namespace", NAMESPACE, "wait", "--for=delete", "--timeout=60s", &claim])
        .output()
        .unwrap();
    assert_eq!(told(&["get", &claim, "--ignore-not-found", "-o", "name"]), "");
}

/// A closure that has said "waiting", and its Pod.
pub(crate) struct Waiting {
    pub(crate) signal: tempfile::TempDir,
    pub(crate) run: hype::Run<String>,
    pub(crate) pod: String,
}

impl Waiting {
    pub(crate) async fn start(env: &RunEnvironment) -> Self {
        Self::begin(env, kubernetes().unwrap()).await
    }

    pub(crate) async fn begin(env: &RunEnvironment, submitter: Submitter) -> Self {
        let signal = tempfile::tempdir().unwrap();
        let mount = HostDirectory::new(signal.path()).mount_read_only("/signal");
        let closure = say_then_wait_for("waiting".into(), "/signal/go".into());
        let run = submitter.spawn(closure, &env.with_mount(mount));
        let line = run.logs().next().await.map(|line| line.text);
        if line.as_deref() != Some("waiting") {
            panic!("{:?}", run.wait().await);
        }
        let pod = format!("{}-1", run.id());
        assert_eq!(there(run.id()), format!("pod/{pod}"));
        Self { signal, run, pod }
    }

    pub(crate) fn release(&self) {
        std::fs::write(self.signal.path().join("go"), "").unwrap();
    }

    /// The error that it ends with; its Pod is gone then.
    pub(crate) async fn error(self) -> hype::Error {
        let id = self.run.id().to_owned();
        let error = self.run.wait().await.unwrap_err();
        assert_gone(&id);
        eprintln!("---8<---\n{}\n--->8---", error.report());
        error
    }
}
