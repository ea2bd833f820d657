//! The manifest of an attempt's Pod, as a pure function.

use std::collections::BTreeMap;

use hype_wire::Access;
use hype_wire::launch::TERMINATION_LOG;
use k8s_openapi::api::core::v1::{
    Container, EnvVar, LocalObjectReference, Pod, PodSpec, ResourceRequirements,
    Toleration as PodToleration, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{hardening, mounts};
use crate::environment::RunEnvironment;
use crate::environment::placement::Toleration;
use crate::environment::pod_base::{self, CONTAINER};
use crate::error::{Error, Result};
use crate::runner::{Process, labels, quantity};

/// The label of nodes with their architecture.
const ARCHITECTURE: &str = "kubernetes.io/arch";

/// The grace period from SIGTERM to SIGKILL, in seconds, in which `hype-run` writes its outcome.
const TERMINATION_GRACE_SECONDS: i64 = 25;

/// The time in seconds that the Pod's deadline adds to the closure's timeout, for example to pull images. `hype-run`
/// enforces the closure's timeout itself, and writes an outcome.
const DEADLINE_MARGIN_SECONDS: u64 = 600;

/// The resource name of a node's disk.
const DISK: &str = "ephemeral-storage";

/// The disk space for logs, in bytes: the container's log, and the copy that `hype-run` keeps.
const LOG_BYTES: u64 = 128 << 20;

/// The properties of a Pod that its process doesn't define.
#[derive(Debug, Clone)]
pub(crate) struct PodOptions {
    /// The variables that lead `hype-run` to the stage, and to its credentials.
    pub(crate) variables: BTreeMap<String, String>,
    /// Whether the stage has a loopback address, so that the Pod needs the node's network.
    pub(crate) is_stage_on_loopback: bool,
    /// The claims of the environment's volumes, in the order of its mounts.
    pub(crate) claims: Vec<Claim>,
    /// The RuntimeClass of a Pod whose template names none.
    pub(crate) runtime_class: Option<String>,
}

/// The claim behind a volume mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) name: String,
    /// Whether all Pods with this claim must run on the same node.
    pub(crate) is_single_node: bool,
}

/// Returns the label of Pods that use the claim `name`.
pub(crate) fn claim_label(name: &str) -> String {
    format!("volume.hype.spotify.com/{name}")
}

/// Returns the processor architecture of Pods of `env`, as Kubernetes names it.
pub(crate) fn architecture(env: &RunEnvironment) -> &str {
    let placement = env.placement();
    let of_base = || {
        let spec = placement.base.as_ref()?.spec.as_ref()?;
        spec.node_selector.as_ref()?.get(ARCHITECTURE)
    };
    placement.node_selector.get(ARCHITECTURE).or_else(of_base).map_or("amd64", String::as_str)
}

/// Returns the Pod to be created.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if parts of the environment contradict each other.
pub(crate) fn pod(process: &Process, options: &PodOptions) -> Result<Pod> {
    let env = &process.env;
    let mut pod = env.placement().base.clone().unwrap_or_default();
    let mut spec = pod.spec.take().unwrap_or_default();
    let index = spec.containers.iter().position(|container| container.name == CONTAINER);
    let mut container = match index {
        Some(index) => spec.containers.remove(index),
        None => Container { name: CONTAINER.to_owned(), ..Default::default() },
    };
    add_metadata(&mut pod, process, options);
    add_scheduling(&mut spec, process, options);
    add_process(&mut container, process, options)?;
    mounts::add(&mut spec, &mut container, process, &options.claims)?;
    hardening::add(&mut spec, &mut container, env.placement().run_as);
    spec.containers.insert(index.unwrap_or_default(), container);
    pod.spec = Some(spec);
    Ok(pod)
}

/// Sets the name, labels and annotations of the Pod.
fn add_metadata(pod: &mut Pod, process: &Process, options: &PodOptions) {
    let metadata = &mut pod.metadata;
    metadata.name = Some(process.name.clone());
    metadata.generate_name = None;
    metadata.namespace = None;
    let labels = metadata.labels.get_or_insert_default();
    labels.extend(process.env.placement().labels.clone());
    let claims = options.claims.iter().filter(|claim| claim.is_single_node);
    let annotations = metadata.annotations.get_or_insert_default();
    for (name, value) in &process.labels {
        // Only searched values are labels: function names are no valid label values.
        let is_searched = matches!(*name, labels::RUN | labels::SUBMITTER);
        let target = if is_searched { &mut *labels } else { &mut *annotations };
        target.insert((*name).to_owned(), value.clone());
    }
    labels.extend(claims.map(|claim| (claim_label(&claim.name), String::new())));
}

/// Sets the scheduling of the Pod: node selection, tolerations, priority and service account.
fn add_scheduling(spec: &mut PodSpec, process: &Process, options: &PodOptions) {
    let placement = process.env.placement();
    spec.restart_policy = Some("Never".to_owned());
    spec.termination_grace_period_seconds.get_or_insert(TERMINATION_GRACE_SECONDS);
    if let Some(timeout) = process.env.timeout() {
        // Kubernetes accepts at most 32 bits.
        let seconds =
            timeout.as_secs().saturating_add(DEADLINE_MARGIN_SECONDS).min(i32::MAX as u64) as i64;
        spec.active_deadline_seconds.get_or_insert(seconds);
    }
    if options.is_stage_on_loopback {
        spec.host_network.get_or_insert(true);
    }
    // Otherwise the closure would see variables for each service of the namespace.
    spec.enable_service_links.get_or_insert(false);
    spec.automount_service_account_token.get_or_insert(false);
    if let Some(account) = &placement.service_account {
        spec.service_account_name = Some(account.clone());
    }
    if spec.runtime_class_name.is_none() {
        spec.runtime_class_name.clone_from(&options.runtime_class);
    }
    if let Some(class) = &placement.priority_class {
        spec.priority_class_name = Some(class.clone());
    }
    let selector = spec.node_selector.get_or_insert_default();
    selector.extend(placement.node_selector.clone());
    selector.insert(ARCHITECTURE.to_owned(), architecture(&process.env).to_owned());
    if !placement.tolerations.is_empty() {
        spec.tolerations
            .get_or_insert_default()
            .extend(placement.tolerations.iter().map(pod_toleration));
    }
    let secrets: Vec<_> = placement
        .image_pull_secrets
        .iter()
        .map(|name| LocalObjectReference { name: name.clone() })
        .collect();
    if !secrets.is_empty() {
        spec.image_pull_secrets.get_or_insert_default().extend(secrets);
    }
}

fn pod_toleration(toleration: &Toleration) -> PodToleration {
    let Toleration { key, value, effect } = toleration;
    PodToleration {
        key: Some(key.clone()),
        operator: Some(if value.is_some() { "Equal" } else { "Exists" }.to_owned()),
        value: value.clone(),
        effect: effect.clone(),
        ..Default::default()
    }
}

/// Sets the image, command line, variables and resources of `hype-run`.
fn add_process(container: &mut Container, process: &Process, options: &PodOptions) -> Result<()> {
    container.image.clone_from(&process.image);
    let mut invocation = process.invocation.clone();
    invocation.termination_log = Some(TERMINATION_LOG.into());
    invocation.marks_errors = true;
    invocation.keeps_log = true;
    invocation.once = Some(mounts::start_marker_directory(container).into());
    container.args = Some(invocation.to_args());
    container.termination_message_path = Some(TERMINATION_LOG.to_owned());
    container.termination_message_policy = Some("File".to_owned());
    let mut variables = options.variables.clone();
    variables.extend(process.variables.clone());
    let env = container.env.get_or_insert_default();
    env.retain(|variable| !variables.contains_key(&variable.name));
    env.extend(variables.into_iter().map(|(name, value)| EnvVar {
        name,
        value: Some(value),
        ..Default::default()
    }));
    let resources = container.resources.get_or_insert_default();
    add_resources(resources, &process.env)?;
    let disk_mib = process.disk.saturating_add(LOG_BYTES).div_ceil(1 << 20);
    let requests = resources.requests.get_or_insert_default();
    // A request must not exceed the user's limit.
    if resources.limits.iter().all(|limits| !limits.contains_key(DISK)) {
        requests.entry(DISK.to_owned()).or_insert_with(|| Quantity(format!("{disk_mib}Mi")));
    }
    Ok(())
}

fn add_resources(resources: &mut ResourceRequirements, env: &RunEnvironment) -> Result<()> {
    for (resource, text) in env.requests() {
        let quantity = parse_quantity(resource, text)?;
        if is_extended(resource) {
            let limits = resources.limits.get_or_insert_default();
            limits.insert(resource.clone(), quantity.clone());
        }
        resources.requests.get_or_insert_default().insert(resource.clone(), quantity);
    }
    for (resource, text) in &env.placement().limits {
        let quantity = parse_quantity(resource, text)?;
        resources.limits.get_or_insert_default().insert(resource.clone(), quantity);
    }
    Ok(())
}

/// Returns whether a resource is an extended one, such as a GPU. Its limit must equal its request.
fn is_extended(resource: &str) -> bool {
    let domain = resource.split_once('/').map(|(domain, _)| domain);
    domain.is_some_and(|domain| domain != "kubernetes.io" && !domain.ends_with(".kubernetes.io"))
}

fn parse_quantity(resource: &str, text: &str) -> Result<Quantity> {
    match quantity::parse(text) {
        Some(_) => Ok(Quantity(text.to_owned())),
        None => Err(Error::input(format!("`{text}` is no quantity of {resource}"))
            .hint("write it as Kubernetes does: 750m processors, 4Gi of memory")),
    }
}

/// Returns the memory limit of `hype-run` in `pod`.
pub(crate) fn memory_limit(pod: &Pod) -> Option<String> {
    let limits = pod_base::container(pod)?.resources.as_ref()?.limits.as_ref()?;
    limits.get("memory").map(|memory| memory.0.clone())
}

/// Returns a mount of one of the Pod's volumes.
pub(crate) fn volume_mount(volume: &str, path: &str, access: Access) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        read_only: (access == Access::ReadOnly).then_some(true),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
