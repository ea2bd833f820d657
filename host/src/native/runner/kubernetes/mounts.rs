//! What the container of an attempt is shown: the guest's mounts and secrets, and what is `hype-run`'s
//! alone.

use hype_wire::{Access, Mount, is_below};
use k8s_openapi::api::core::v1::{
    Affinity, Container, EmptyDirVolumeSource, HostPathVolumeSource,
    PersistentVolumeClaimVolumeSource, PodAffinity, PodAffinityTerm, PodSpec, SecretVolumeSource,
    Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::pod::{Claim, claim_label, mounted};
use crate::environment::mount::Source;
use crate::error::{Error, Result};
use crate::runner::Process;

/// Where `hype-run` and the guest have their temporary files.
const TMP: &str = "/tmp";

/// Where `hype-run` marks that it was started, if the user's own Pod has something else at `/tmp`, which other Pods may
/// share.
const STARTS: &str = "/run/hype/starts";

/// How much `/tmp` may hold: 1 GiB of the guest's own, and the files that are staged.
const TMP_SIZE: &str = "4Gi";

/// What may be done with the files of secrets: owner and group read them.
const SECRET_MODE: i32 = 0o440;

/// A volume of the Pod's, and where the container sees it.
struct Shown {
    volume: Volume,
    path: String,
    access: Access,
    /// What it is, for messages.
    what: &'static str,
}

/// Adds all that `attempt` needs to what the user's own Pod has.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when two of them stand in one place.
pub(crate) fn add(
    spec: &mut PodSpec,
    container: &mut Container,
    process: &Process,
    claims: &[Claim],
) -> Result<()> {
    let mut shown = of_guest(process, claims)?;
    shown.extend(of_hype_run(process)?);
    shown.push(if has_tmp(container) { starts() } else { tmp() });
    for (index, one) in shown.iter().enumerate() {
        check(one, &shown[..index], container)?;
        let volumes = spec.volumes.iter().flatten();
        if let Some(taken) = volumes.into_iter().find(|volume| volume.name == one.volume.name) {
            return Err(Error::input(format!(
                "the Pod's YAML has a volume `{}`, and hype makes one of that name: rename yours",
                taken.name
            )));
        }
    }
    for Shown { volume, path, access, .. } in shown {
        let mounts = container.volume_mounts.get_or_insert_default();
        mounts.push(mounted(&volume.name, &path, access));
        spec.volumes.get_or_insert_default().push(volume);
    }
    claims.iter().filter(|claim| claim.is_of_one_node).for_each(|claim| together(spec, claim));
    Ok(())
}

/// A mount whose place in the Pod is that in the guest.
pub(crate) fn in_pod(path: &str, access: Access) -> Mount {
    Mount { source: path.to_owned(), path: path.to_owned(), access }
}

/// A directory of the Pod's own, which outlives a container in it.
pub(crate) fn of_starts(container: &Container) -> &'static str {
    if has_tmp(container) { STARTS } else { TMP }
}

fn has_tmp(container: &Container) -> bool {
    container.volume_mounts.iter().flatten().any(|mount| mount.mount_path == TMP)
}

/// Makes sure that `one` stands apart from the `others`, and from what the user's own Pod mounts.
fn check(one: &Shown, others: &[Shown], container: &Container) -> Result<()> {
    let overlaps = |path: &str| is_below(&one.path, path) || is_below(path, &one.path);
    let of_user = container.volume_mounts.iter().flatten();
    if let Some(mount) = of_user.into_iter().find(|mount| overlaps(&mount.mount_path)) {
        return Err(Error::input(format!(
            "`{}` in the Pod's YAML and {} at `{}` overlap: put yours elsewhere",
            mount.mount_path, one.what, one.path
        )));
    }
    match others.iter().find(|other| overlaps(&other.path)) {
        None => Ok(()),
        Some(other) => Err(Error::input(format!(
            "{} at `{}` and {} at `{}` overlap: put one elsewhere",
            one.what, one.path, other.what, other.path
        ))),
    }
}

fn of_guest(process: &Process, claims: &[Claim]) -> Result<Vec<Shown>> {
    let mut claims = claims.iter();
    let mut shown = Vec::new();
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
        shown.push(Shown { volume, path, access, what: "the mount" });
    }
    let secrets = process.env.secrets().iter().enumerate();
    shown.extend(secrets.map(|(index, (path, name))| Shown {
        volume: secret(&format!("hype-secret-{index}"), name),
        path: path.clone(),
        access: Access::ReadOnly,
        what: "the secret",
    }));
    Ok(shown)
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

fn of_hype_run(process: &Process) -> Result<Option<Shown>> {
    let Some(stage) = &process.stage_secret else { return Ok(None) };
    hype_wire::check_guest_path(&stage.path).map_err(Error::input)?;
    Ok(Some(Shown {
        volume: secret("hype-stage", &stage.name),
        path: stage.path.clone(),
        access: Access::ReadOnly,
        what: "the stage's secret",
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

fn tmp() -> Shown {
    empty("hype-tmp", TMP, TMP_SIZE)
}

fn starts() -> Shown {
    empty("hype-starts", STARTS, "1Mi")
}

fn empty(name: &str, path: &str, size: &str) -> Shown {
    let size_limit = Some(Quantity(size.to_owned()));
    let source = EmptyDirVolumeSource { size_limit, ..Default::default() };
    Shown {
        volume: Volume { name: name.to_owned(), empty_dir: Some(source), ..Default::default() },
        path: path.to_owned(),
        access: Access::ReadWrite,
        what: "hype's own directory",
    }
}

/// Puts the Pod onto the node of the others that use `claim`. Where there is none, any node will do.
fn together(spec: &mut PodSpec, claim: &Claim) {
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
