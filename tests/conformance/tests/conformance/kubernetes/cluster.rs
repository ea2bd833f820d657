//! The cluster, from the views of a submitter and of its administrator.

use std::io::Write;
use std::process::{Command, Stdio};

use futures::StreamExt;
use hype::{HostDirectory, KubernetesRunner, RunEnvironment, Stage, Submitter};
use test_guests::surroundings::say_then_wait_for;

/// The submitters' namespace.
pub(crate) const NAMESPACE: &str = "closures";

/// The Pod's user is root, since root owns the directories of this machine that the tests mount.
const POD: &str = "spec: {securityContext: {runAsUser: 0}, containers: [{name: hype-run}]}";

pub(crate) fn kubernetes() -> hype::Result<Submitter> {
    submitter(|runner| runner)
}

/// Creates a submitter whose runner is configured by `change`.
pub(crate) fn submitter(
    change: impl FnOnce(KubernetesRunner) -> KubernetesRunner,
) -> hype::Result<Submitter> {
    conformance::build_guests();
    let runner = change(KubernetesRunner::new()?.with_yaml_str(POD)?);
    Submitter::new(Stage::open_or_create(&std::env::var("HYPE_STAGING").unwrap())?, runner)
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

pub(crate) fn kubectl() -> Command {
    let mut kubectl = Command::new("kubectl");
    kubectl.env("KUBECONFIG", std::env::var("HYPE_TEST_ADMIN").unwrap());
    kubectl
}

/// Returns what `kubectl` prints for an administrator, which must succeed.
pub(crate) fn kubectl_output(arguments: &[&str]) -> String {
    let output = kubectl().args(["--namespace", NAMESPACE]).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Objects created from YAML; deleted on drop.
pub(crate) struct AppliedYaml(String);

impl AppliedYaml {
    pub(crate) fn new(yaml: &str) -> Self {
        // kubectl would parse input that begins with a brace as JSON.
        let applied = Self(format!("---\n{yaml}"));
        assert!(applied.kubectl(&["apply"]), "{yaml}");
        applied
    }

    fn kubectl(&self, arguments: &[&str]) -> bool {
        // kubectl rejects objects that name another namespace than the flag.
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

impl Drop for AppliedYaml {
    fn drop(&mut self) {
        self.kubectl(&["delete", "--ignore-not-found"]);
    }
}

/// Returns the names of a run's Pods and Secrets.
pub(crate) fn objects_of(run: &str) -> String {
    let selector = format!("com.spotify.hype/run={run}");
    kubectl_output(&["get", "pods,secrets", "--selector", &selector, "--output", "name"])
}

/// Checks that no Pod and no Secret of the run exists.
pub(crate) fn assert_gone(run: &str) {
    assert_eq!(objects_of(run), "");
}

/// Checks that the claim disappears. Kubernetes deletes it a moment after the last Pod that uses it.
pub(crate) fn assert_claim_goes(name: &str) {
    let claim = format!("pvc/{name}");
    // The wait fails if the claim is already gone.
    kubectl()
        .args(["--namespace", NAMESPACE, "wait", "--for=delete", "--timeout=60s", &claim])
        .output()
        .unwrap();
    assert_eq!(kubectl_output(&["get", &claim, "--ignore-not-found", "-o", "name"]), "");
}

/// A closure that has printed "waiting", and its Pod.
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
        assert_eq!(objects_of(run.id()), format!("pod/{pod}"));
        Self { signal, run, pod }
    }

    pub(crate) fn release(&self) {
        std::fs::write(self.signal.path().join("go"), "").unwrap();
    }

    /// Returns the error of the run, and checks that its Pod is gone.
    pub(crate) async fn error(self) -> hype::Error {
        let id = self.run.id().to_owned();
        let error = self.run.wait().await.unwrap_err();
        assert_gone(&id);
        eprintln!("---8<---\n{}\n--->8---", error.report());
        error
    }
}
