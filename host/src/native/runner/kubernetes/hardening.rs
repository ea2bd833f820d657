//! The security defaults of a Pod, unless the user's Pod overrides them.

use k8s_openapi::api::core::v1::{
    Capabilities, Container, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext,
};

/// The user and group `nonroot` of hype's images.
const NONROOT: u32 = 65532;

/// Adds each default that isn't set. `run_as` is the environment's user and group, which override the user's Pod.
pub(crate) fn add(spec: &mut PodSpec, container: &mut Container, run_as: Option<(u32, u32)>) {
    let own = container.security_context.get_or_insert_default();
    add_container_defaults(own);
    let pod = spec.security_context.get_or_insert_default();
    let runtime_default =
        || SeccompProfile { type_: "RuntimeDefault".to_owned(), ..Default::default() };
    if own.seccomp_profile.is_none() {
        pod.seccomp_profile.get_or_insert_with(runtime_default);
    }
    match run_as {
        Some(user_and_group) => {
            (own.run_as_user, own.run_as_group, own.run_as_non_root) = (None, None, None);
            set_user(pod, user_and_group);
        }
        None => add_pod_defaults(pod, own),
    }
}

fn add_container_defaults(own: &mut SecurityContext) {
    if own.privileged != Some(true) {
        own.allow_privilege_escalation.get_or_insert(false);
    }
    own.read_only_root_filesystem.get_or_insert(true);
    let all = || Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Default::default() };
    own.capabilities.get_or_insert_with(all);
}

fn set_user(pod: &mut PodSecurityContext, (user, group): (u32, u32)) {
    pod.run_as_user = Some(user.into());
    pod.run_as_group = Some(group.into());
    pod.fs_group = Some(group.into());
    pod.run_as_non_root = Some(user != 0);
}

/// Adds the default user and group, unless the user's Pod names a user, whose group then applies.
fn add_pod_defaults(pod: &mut PodSecurityContext, own: &SecurityContext) {
    let names_user = pod.run_as_user.is_some() || own.run_as_user.is_some();
    if !names_user {
        pod.run_as_user = Some(NONROOT.into());
        if own.run_as_group.is_none() {
            pod.run_as_group.get_or_insert(NONROOT.into());
        }
        if own.run_as_non_root.is_none() {
            pod.run_as_non_root.get_or_insert(true);
        }
    }
    pod.fs_group.get_or_insert(NONROOT.into());
}
