//! The rights that a Pod hasn't, unless the user's own says otherwise.

use k8s_openapi::api::core::v1::{
    Capabilities, Container, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext,
};

/// Nobody's user and group in the images of hype.
const NOBODY: u32 = 65532;

/// Adds each default that isn't set. `run_as` is the user and group that the environment names.
pub(crate) fn add(spec: &mut PodSpec, container: &mut Container, run_as: Option<(u32, u32)>) {
    let own = container.security_context.get_or_insert_default();
    of_container(own);
    let pod = spec.security_context.get_or_insert_default();
    let runtime_default =
        || SeccompProfile { type_: "RuntimeDefault".to_owned(), ..Default::default() };
    if own.seccomp_profile.is_none() {
        pod.seccomp_profile.get_or_insert_with(runtime_default);
    }
    match run_as {
        Some(who) => {
            (own.run_as_user, own.run_as_group, own.run_as_non_root) = (None, None, None);
            run(pod, who);
        }
        None => of_pod(pod, own),
    }
}

fn of_container(own: &mut SecurityContext) {
    if own.privileged != Some(true) {
        own.allow_privilege_escalation.get_or_insert(false);
    }
    own.read_only_root_filesystem.get_or_insert(true);
    let all = || Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Default::default() };
    own.capabilities.get_or_insert_with(all);
}

fn run(pod: &mut PodSecurityContext, (user, group): (u32, u32)) {
    pod.run_as_user = Some(user.into());
    pod.run_as_group = Some(group.into());
    pod.fs_group = Some(group.into());
    pod.run_as_non_root = Some(user != 0);
}

/// Where the user's own Pod names a user, the group is that user's, too.
fn of_pod(pod: &mut PodSecurityContext, own: &SecurityContext) {
    let names_user = pod.run_as_user.is_some() || own.run_as_user.is_some();
    if !names_user {
        pod.run_as_user = Some(NOBODY.into());
        if own.run_as_group.is_none() {
            pod.run_as_group.get_or_insert(NOBODY.into());
        }
        if own.run_as_non_root.is_none() {
            pod.run_as_non_root.get_or_insert(true);
        }
    }
    pod.fs_group.get_or_insert(NOBODY.into());
}
