//! The volume mounts of an attempt's container: those of the guest, and those of `hype-run` alone.

use hype_wire::{Access, is_below};
use k8s_openapi::api::core::v1::{
    Affinity, Container, EmptyDirVolumeSource, HostPathVolumeSource,
    PersistentVolumeClaimVolumeSource, PodAffinity, PodAffinityTerm, PodSpec, SecretVolumeSource,
    Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::pod::{Claim, claim_label, volume_mount};
use crate::environment::check::guest_path;
use crate::environment::mount::Source;
use crate::error::{Error, Result};
use crate::runner::Process;

/// The path of temporary files of `hype-run` and the guest.
const TMP: &str = "/tmp";

/// The path of the marker of `hype-run`'s start, if the user's Pod has its own mount at `/tmp`, which other Pods may
/// share.
const STARTS: &str = "/run/hype/starts";

/// The size of `/tmp`: 1 GiB for the guest, and the rest for the staged files.
const TMP_SIZE: &str = "4Gi";

/// The mode of secret files: readable by owner and group.
const SECRET_MODE: i32 = 0o440;

/// A volume of the Pod, with its mount in the container.
struct PodMount {
    volume: Volume,
    path: String,
    access: Access,
    /// Its kind, for messages: `the mount`, `the secret`.
    kind: &'static str,
}

/// Adds the mounts of `process` to those of the user's Pod.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if two mounts overlap, or two volumes have the same name.
pub(crate) fn add(
    spec: &mut PodSpec,
    container: &mut Container,
    process: &Process,
    claims: &[Claim],
) -> Result<()> {
    let mut pod_mounts = guest_mounts(process, claims)?;
    pod_mounts.extend(stage_secret_mount(process)?);
    pod_mounts.push(if has_tmp(container) { starts() } else { tmp() });
    for (index, one) in pod_mounts.iter().enumerate() {
        check(one, &pod_mounts[..index], container)?;
        let volumes = spec.volumes.iter().flatten();
        if let Some(taken) = volumes.into_iter().find(|volume| volume.name == one.volume.name) {
            return Err(Error::input(format!(
                "the Pod's YAML has a volume `{}`, and hype adds one of that name: rename yours",
                taken.name
            )));
        }
    }
    for PodMount { volume, path, access, .. } in pod_mounts {
        let mounts = container.volume_mounts.get_or_insert_default();
        mounts.push(volume_mount(&volume.name, &path, access));
        spec.volumes.get_or_insert_default().push(volume);
    }
    claims.iter().filter(|claim| claim.is_single_node).for_each(|claim| add_affinity(spec, claim));
    Ok(())
}

/// Returns a directory that belongs to this Pod alone and survives container restarts.
pub(crate) fn start_marker_directory(container: &Container) -> &'static str {
    if has_tmp(container) { STARTS } else { TMP }
}

fn has_tmp(container: &Container) -> bool {
    container.volume_mounts.iter().flatten().any(|mount| mount.mount_path == TMP)
}

/// Checks that the path of `one` overlaps neither with `others` nor with mounts of the user's Pod.
fn check(one: &PodMount, others: &[PodMount], container: &Container) -> Result<()> {
    let overlaps = |path: &str| is_below(&one.path, path) || is_below(path, &one.path);
    let of_user = container.volume_mounts.iter().flatten();
    if let Some(mount) = of_user.into_iter().find(|mount| overlaps(&mount.mount_path)) {
        return Err(Error::input(format!(
            "`{}` in the Pod's YAML and {} at `{}` overlap: put yours elsewhere",
            mount.mount_path, one.kind, one.path
        )));
    }
    match others.iter().find(|other| overlaps(&other.path)) {
        None => Ok(()),
        Some(other) => Err(Error::input(format!(
            "{} at `{}` and {} at `{}` overlap: put one elsewhere",
            one.kind, one.path, other.kind, other.path
        ))),
    }
}

fn guest_mounts(process: &Process, claims: &[Claim]) -> Result<Vec<PodMount>> {
    let mut claims = claims.iter();
    let mut pod_mounts = Vec::new();
    for (index, mount) in process.env.mounts().iter().enumerate() {
        let (path, access) = (mount.path.clone(), mount.access);
        let volume = match &mount.source {
            Source::Volume(_) => claims.next().map(|claim| of_claim(index, claim, access)),
            Source::Directory(directory) => Some(Volume {
                name: format!("hype-mount-{index}"),
                host_path: Some(HostPathVolumeSource {
                    path: std::path::absolute(directory)
                        .unwrap_or_else(|_| directory.clone())
                        .to_string_lossy()
                        .into_owned(),
                    type_: Some("Directory".to_owned()),
                }),
                ..Default::default()
            }),
        };
        let volume = volume.ok_or_else(|| Error::input(format!("`{path}` has no claim")))?;
        pod_mounts.push(PodMount { volume, path, access, kind: "the mount" });
    }
    let secrets = process.env.secrets().iter().enumerate();
    pod_mounts.extend(secrets.map(|(index, (path, name))| PodMount {
        volume: secret(&format!("hype-secret-{index}"), name),
        path: path.clone(),
        access: Access::ReadOnly,
        kind: "the secret",
    }));
    Ok(pod_mounts)
}

fn of_claim(index: usize, claim: &Claim, access: Access) -> Volume {
    let source = PersistentVolumeClaimVolumeSource {
        claim_name: claim.name.clone(),
        read_only: (access == Access::ReadOnly).then_some(true),
    };
    Volume {
        name: format!("hype-mount-{index}"),
        persistent_volume_claim: Some(source),
        ..Default::default()
    }
}

fn stage_secret_mount(process: &Process) -> Result<Option<PodMount>> {
    let Some(stage) = &process.stage_secret else { return Ok(None) };
    guest_path(&stage.path)?;
    Ok(Some(PodMount {
        volume: secret("hype-stage", &stage.name),
        path: stage.path.clone(),
        access: Access::ReadOnly,
        kind: "the stage's secret",
    }))
}

fn secret(volume: &str, name: &str) -> Volume {
    let source = SecretVolumeSource {
        secret_name: Some(name.to_owned()),
        default_mode: Some(SECRET_MODE),
        ..Default::default()
    };
    Volume { name: volume.to_owned(), secret: Some(source), ..Default::default() }
}

fn tmp() -> PodMount {
    empty_dir("hype-tmp", TMP, TMP_SIZE)
}

fn starts() -> PodMount {
    empty_dir("hype-starts", STARTS, "1Mi")
}

fn empty_dir(name: &str, path: &str, size: &str) -> PodMount {
    let size_limit = Some(Quantity(size.to_owned()));
    let source = EmptyDirVolumeSource { size_limit, ..Default::default() };
    PodMount {
        volume: Volume { name: name.to_owned(), empty_dir: Some(source), ..Default::default() },
        path: path.to_owned(),
        access: Access::ReadWrite,
        kind: "hype's own directory",
    }
}

/// Requires the node of the other Pods that use `claim`; any node if there are none.
fn add_affinity(spec: &mut PodSpec, claim: &Claim) {
    let label = LabelSelectorRequirement {
        key: claim_label(&claim.name),
        operator: "Exists".to_owned(),
        ..Default::default()
    };
    let selector = LabelSelector { match_expressions: Some(vec![label]), ..Default::default() };
    let term = PodAffinityTerm {
        label_selector: Some(selector),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..Default::default()
    };
    let affinity: &mut Affinity = spec.affinity.get_or_insert_default();
    let affinity: &mut PodAffinity = affinity.pod_affinity.get_or_insert_default();
    affinity.required_during_scheduling_ignored_during_execution.get_or_insert_default().push(term);
}
