//! The Pod of an attempt: a pure function of what is known before it is made.

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

/// The annotation that says which manifest an attempt has.
pub(crate) const MANIFEST: &str = "com.spotify.hype/manifest";

/// The label by which the architecture of nodes is told.
const ARCHITECTURE: &str = "kubernetes.io/arch";

/// How long it has to leave its outcome when it is told to stop, in seconds.
const GRACE: i64 = 25;

/// How much longer than its timeout an attempt may be there, in seconds: images are pulled meanwhile.
/// `hype-run` keeps the timeout itself, and leaves an outcome then.
const DEADLINE_AFTER: u64 = 600;

/// The disk of a node, of which the staged files take some.
const DISK: &str = "ephemeral-storage";

/// What a log takes of it: once in the container's own, and once where all of it is kept.
const LOG: u64 = 128 << 20;

/// What a Pod is made of besides what stands in its process.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// Variables that say where the stage is, and `hype-run`'s credentials for it.
    pub(crate) variables: BTreeMap<String, String>,
    /// Whether the stage is on the machine that this process and the Pod share.
    pub(crate) is_stage_on_loopback: bool,
    /// The claims of the environment's volumes, in the order of its mounts.
    pub(crate) claims: Vec<Claim>,
}

/// The claim that a mount of a volume shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) name: String,
    /// Whether all Pods with it must be on one node.
    pub(crate) is_of_one_node: bool,
}

/// The label of a Pod that uses the claim called `name`.
pub(crate) fn claim_label(name: &str) -> String {
    format!("volume.hype.spotify.com/{name}")
}

/// The processor that a Pod of `env` runs on, as Kubernetes names it.
pub(crate) fn architecture(env: &RunEnvironment) -> &str {
    let placement = env.placement();
    let of_base = || {
        let spec = placement.base.as_ref()?.spec.as_ref()?;
        spec.node_selector.as_ref()?.get(ARCHITECTURE)
    };
    placement.node_selector.get(ARCHITECTURE).or_else(of_base).map_or("amd64", String::as_str)
}

/// The Pod that is to be made.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when what the environment names doesn't fit together.
pub(crate) fn pod(process: &Process, parts: &Parts) -> Result<Pod> {
    let env = &process.env;
    let mut pod = env.placement().base.clone().unwrap_or_default();
    let mut spec = pod.spec.take().unwrap_or_default();
    let index = spec.containers.iter().position(|container| container.name == CONTAINER);
    let mut container = match index {
        Some(index) => spec.containers.remove(index),
        None => Container { name: CONTAINER.to_owned(), ..Default::default() },
    };
    describe(&mut pod, process, parts);
    place(&mut spec, process, parts);
    order(&mut container, process, parts)?;
    mounts::add(&mut spec, &mut container, process, &parts.claims)?;
    hardening::add(&mut spec, &mut container, env.placement().run_as);
    spec.containers.insert(index.unwrap_or_default(), container);
    pod.spec = Some(spec);
    Ok(pod)
}

fn describe(pod: &mut Pod, process: &Process, parts: &Parts) {
    let metadata = &mut pod.metadata;
    metadata.name = Some(process.name.clone());
    metadata.generate_name = None;
    metadata.namespace = None;
    let labels = metadata.labels.get_or_insert_default();
    labels.extend(process.env.placement().labels.clone());
    let claims = parts.claims.iter().filter(|claim| claim.is_of_one_node);
    let annotations = metadata.annotations.get_or_insert_default();
    for (name, value) in &process.labels {
        // Only what is searched for is a label: names of functions would be none of Kubernetes'.
        let searched = matches!(*name, labels::RUN | labels::SUBMITTER);
        let to = if searched { &mut *labels } else { &mut *annotations };
        to.insert((*name).to_owned(), value.clone());
    }
    labels.extend(claims.map(|claim| (claim_label(&claim.name), String::new())));
    let digest = process.invocation.digest.map(|digest| digest.to_string());
    annotations.extend(digest.map(|digest| (MANIFEST.to_owned(), digest)));
}

/// Where the Pod runs, and as whom.
fn place(spec: &mut PodSpec, process: &Process, parts: &Parts) {
    let placement = process.env.placement();
    spec.restart_policy = Some("Never".to_owned());
    spec.termination_grace_period_seconds.get_or_insert(GRACE);
    if let Some(timeout) = process.env.timeout() {
        let seconds = timeout.as_secs().saturating_add(DEADLINE_AFTER);
        // What Kubernetes takes is no more than that of 32 bits.
        let seconds = seconds.min(i32::MAX as u64) as i64;
        spec.active_deadline_seconds.get_or_insert(seconds);
    }
    if parts.is_stage_on_loopback {
        spec.host_network.get_or_insert(true);
    }
    // Else the closure would see a variable for each service of the namespace.
    spec.enable_service_links.get_or_insert(false);
    spec.automount_service_account_token.get_or_insert(false);
    if let Some(account) = &placement.service_account {
        spec.service_account_name = Some(account.clone());
    }
    if let Some(class) = &placement.priority_class {
        spec.priority_class_name = Some(class.clone());
    }
    let selector = spec.node_selector.get_or_insert_default();
    selector.extend(placement.node_selector.clone());
    selector.insert(ARCHITECTURE.to_owned(), architecture(&process.env).to_owned());
    if !placement.tolerations.is_empty() {
        spec.tolerations.get_or_insert_default().extend(placement.tolerations.iter().map(bears));
    }
    let secrets = placement.image_pull_secrets.iter();
    let secrets = secrets.map(|name| LocalObjectReference { name: name.clone() });
    let secrets: Vec<_> = secrets.collect();
    if !secrets.is_empty() {
        spec.image_pull_secrets.get_or_insert_default().extend(secrets);
    }
}

fn bears(toleration: &Toleration) -> PodToleration {
    let Toleration { key, value, effect } = toleration;
    PodToleration {
        key: Some(key.clone()),
        operator: Some(if value.is_some() { "Equal" } else { "Exists" }.to_owned()),
        value: value.clone(),
        effect: effect.clone(),
        ..Default::default()
    }
}

/// What `hype-run` is told, and what it may use.
fn order(container: &mut Container, process: &Process, parts: &Parts) -> Result<()> {
    container.image.clone_from(&process.image);
    let mut invocation = process.invocation.clone();
    invocation.termination_log = Some(TERMINATION_LOG.into());
    invocation.marks_errors = true;
    invocation.keeps_log = true;
    invocation.once = Some(mounts::of_starts(container).into());
    container.args = Some(invocation.to_args());
    container.termination_message_path = Some(TERMINATION_LOG.to_owned());
    container.termination_message_policy = Some("File".to_owned());
    let mut variables = parts.variables.clone();
    variables.extend(process.variables.clone());
    let env = container.env.get_or_insert_default();
    env.retain(|variable| !variables.contains_key(&variable.name));
    env.extend(variables.into_iter().map(|(name, value)| EnvVar {
        name,
        value: Some(value),
        ..Default::default()
    }));
    let resources = container.resources.get_or_insert_default();
    ask(resources, &process.env)?;
    let disk = process.disk.saturating_add(LOG).div_ceil(1 << 20);
    let requests = resources.requests.get_or_insert_default();
    // Where less may be had, the request must not be more.
    if resources.limits.iter().all(|limits| !limits.contains_key(DISK)) {
        requests.entry(DISK.to_owned()).or_insert_with(|| Quantity(format!("{disk}Mi")));
    }
    Ok(())
}

fn ask(resources: &mut ResourceRequirements, env: &RunEnvironment) -> Result<()> {
    for (resource, text) in env.requests() {
        let quantity = checked(resource, text)?;
        if is_extended(resource) {
            let limits = resources.limits.get_or_insert_default();
            limits.insert(resource.clone(), quantity.clone());
        }
        resources.requests.get_or_insert_default().insert(resource.clone(), quantity);
    }
    for (resource, text) in &env.placement().limits {
        let quantity = checked(resource, text)?;
        resources.limits.get_or_insert_default().insert(resource.clone(), quantity);
    }
    Ok(())
}

/// Whether a resource is another's than Kubernetes': it can't be had beyond what was requested.
fn is_extended(resource: &str) -> bool {
    let domain = resource.split_once('/').map(|(domain, _)| domain);
    domain.is_some_and(|domain| domain != "kubernetes.io" && !domain.ends_with(".kubernetes.io"))
}

fn checked(resource: &str, text: &str) -> Result<Quantity> {
    match quantity::parse(text) {
        Some(_) => Ok(Quantity(text.to_owned())),
        None => Err(Error::input(format!("`{text}` is no quantity of {resource}"))
            .hint("write it as Kubernetes does: 750m processors, 4Gi of memory")),
    }
}

/// The memory that `hype-run` of `pod` may have.
pub(crate) fn memory(pod: &Pod) -> Option<String> {
    let limits = pod_base::container(pod)?.resources.as_ref()?.limits.as_ref()?;
    limits.get("memory").map(|memory| memory.0.clone())
}

/// A mount of a volume of the Pod's in a container.
pub(crate) fn mounted(volume: &str, path: &str, access: Access) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        read_only: (access == Access::ReadOnly).then_some(true),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
