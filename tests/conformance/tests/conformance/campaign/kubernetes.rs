//! Namespaces of a cluster, each with a submitter's rights, and what is there of runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::campaign::remains::{CONTAINER, SECRET, VOLUME};

/// A namespace that goes with its handle.
pub(crate) struct Namespace {
    name: String,
    directory: tempfile::TempDir,
}

/// A Pod, claim or secret.
struct Thing {
    what: &'static str,
    name: String,
    is_terminating: bool,
    phase: String,
}

impl Namespace {
    /// One with the Role of docs/kubernetes/role.yaml, in which that service account submits.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = &format!("campaign-{}-{count}", std::process::id());
        kubectl(&["create", "namespace", name]);
        let role = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/kubernetes/role.yaml");
        kubectl(&["apply", "--namespace", name, "--filename", role]);
        let directory = tempfile::tempdir().unwrap();
        let config = std::fs::read_to_string(admin()).unwrap();
        let user = format!("  user:\n    as: system:serviceaccount:{name}:hype\n");
        let config = config
            .replace("  user:\n", &user)
            .replace("namespace: default", &format!("namespace: {name}"));
        assert!(config.contains(&user) && config.contains(&format!("namespace: {name}")));
        let namespace = Self { name: name.to_owned(), directory };
        std::fs::write(namespace.kubeconfig(), config).unwrap();
        namespace
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    pub(crate) fn remains(&self) -> Vec<(&'static str, String)> {
        self.things().into_iter().map(|thing| (thing.what, thing.name)).collect()
    }

    pub(crate) fn has_terminating(&self) -> bool {
        self.things().iter().any(|thing| thing.is_terminating)
    }

    pub(crate) fn has_running_pods(&self) -> bool {
        let mut pods = self.things().into_iter().filter(|thing| thing.what == CONTAINER);
        pods.any(|pod| !["Succeeded", "Failed"].contains(&pod.phase.as_str()))
    }

    fn things(&self) -> Vec<Thing> {
        let template = "{range .items[*]}{.kind},{.metadata.name},{.metadata.deletionTimestamp},{.status.phase}\
                        {\"\\n\"}{end}";
        let output = format!("jsonpath={template}");
        let kinds = "pods,persistentvolumeclaims,secrets";
        let told = kubectl(&["get", kinds, "--namespace", &self.name, "--output", &output]);
        let things = told.lines().map(|line| line.split(',').collect::<Vec<_>>()).map(|line| {
            let what = match line[0] {
                "Pod" => CONTAINER,
                "PersistentVolumeClaim" => VOLUME,
                _ => SECRET,
            };
            let (name, phase) = (line[1].to_owned(), line[3].to_owned());
            Thing { what, name, is_terminating: !line[2].is_empty(), phase }
        });
        // Those of service accounts are the cluster's own.
        things.filter(|thing| !thing.name.contains("-token-")).collect()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        kubectl(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}

fn admin() -> PathBuf {
    Path::new(&std::env::var_os("HYPE_TEST_ADMIN").unwrap()).to_owned()
}

/// What `kubectl` prints for an administrator, which must do well.
fn kubectl(arguments: &[&str]) -> String {
    let output =
        Command::new("kubectl").args(arguments).env("KUBECONFIG", admin()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
