//! Namespaces of a cluster, each with a submitter's rights, and the objects of runs in them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::campaign::remains::{CONTAINER, SECRET, VOLUME};

/// A namespace that is deleted when this is dropped.
pub(crate) struct Namespace {
    name: String,
    directory: tempfile::TempDir,
}

/// A Pod, claim or secret.
struct KubernetesObject {
    what: &'static str,
    name: String,
    is_terminating: bool,
    phase: String,
}

impl Namespace {
    /// Creates a namespace with the Role of docs/kubernetes/role.yaml, and a kubeconfig that acts as its service
    /// account.
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
        self.objects().into_iter().map(|object| (object.what, object.name)).collect()
    }

    pub(crate) fn has_terminating(&self) -> bool {
        self.objects().iter().any(|object| object.is_terminating)
    }

    pub(crate) fn has_running_pods(&self) -> bool {
        let mut pods = self.objects().into_iter().filter(|object| object.what == CONTAINER);
        pods.any(|pod| !["Succeeded", "Failed"].contains(&pod.phase.as_str()))
    }

    fn objects(&self) -> Vec<KubernetesObject> {
        let template = "{range .items[*]}{.kind},{.metadata.name},{.metadata.deletionTimestamp},{.status.phase}\
                        {\"\\n\"}{end}";
        let output = format!("jsonpath={template}");
        let kinds = "pods,persistentvolumeclaims,secrets";
        let output_text = kubectl(&["get", kinds, "--namespace", &self.name, "--output", &output]);
        let objects =
            output_text.lines().map(|line| line.split(',').collect::<Vec<_>>()).map(|line| {
                let what = match line[0] {
                    "Pod" => CONTAINER,
                    "PersistentVolumeClaim" => VOLUME,
                    _ => SECRET,
                };
                let (name, phase) = (line[1].to_owned(), line[3].to_owned());
                KubernetesObject { what, name, is_terminating: !line[2].is_empty(), phase }
            });
        // The cluster creates those for service accounts.
        objects.filter(|object| !object.name.contains("-token-")).collect()
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

/// Returns what `kubectl` prints for an administrator, which must succeed.
fn kubectl(arguments: &[&str]) -> String {
    let output =
        Command::new("kubectl").args(arguments).env("KUBECONFIG", admin()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
