//! The user's YAML of a Pod, which the Pods of runs are based on.

use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::Value;

use crate::error::{Error, Result};

/// The name of the container in which `hype-run` runs.
pub(crate) const CONTAINER: &str = "hype-run";

/// Reads a Pod, and checks that a closure can run in it.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when the YAML isn't a Pod, has an unknown field, or no closure can run in it.
pub(crate) fn read(yaml: &str) -> Result<Pod> {
    let malformed = |error: String| Error::input("the YAML is no Pod").because(error);
    let written: Value =
        serde_saphyr::from_str(yaml).map_err(|error| malformed(error.to_string()))?;
    let pod: Pod =
        serde_json::from_value(written.clone()).map_err(|error| malformed(error.to_string()))?;
    let understood = serde_json::to_value(&pod).map_err(|error| malformed(error.to_string()))?;
    if let Some(path) = find_unknown_field(&written, &understood, "") {
        return Err(Error::input(format!("`{path}` is no field of a Pod that hype knows"))
            .hint("is it misspelt, or indented too far or too little?"));
    }
    check(&pod)?;
    Ok(pod)
}

/// Returns the container in which `hype-run` runs.
pub(crate) fn container(pod: &Pod) -> Option<&Container> {
    pod.spec.as_ref()?.containers.iter().find(|container| container.name == CONTAINER)
}

fn check(pod: &Pod) -> Result<()> {
    let Some(container) = container(pod) else {
        return Err(Error::input(format!("the Pod has no container called `{CONTAINER}`"))
            .hint("give `spec.containers` one with `name: hype-run`: the closure runs in it"));
    };
    let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    if let Some(policy) = policy.filter(|policy| *policy != "Never") {
        return Err(Error::input(format!("`restartPolicy` is {policy}, and must be Never"))
            .hint("RunEnvironment::with_retries allows further attempts"));
    }
    if container.image.is_some() {
        return Err(set_elsewhere("image").hint("name it by RunEnvironment::with_image"));
    }
    if container.command.is_some() {
        return Err(set_elsewhere("command").hint("what runs is the image's entrypoint, hype-run"));
    }
    let metadata = &pod.metadata;
    for (field, is_set) in [
        ("metadata.name", metadata.name.is_some()),
        ("metadata.generateName", metadata.generate_name.is_some()),
        ("args of hype-run", container.args.is_some()),
        ("terminationMessagePath of hype-run", container.termination_message_path.is_some()),
        ("terminationMessagePolicy of hype-run", container.termination_message_policy.is_some()),
    ] {
        if is_set {
            tracing::warn!("{field} in the YAML of a Pod has no effect: hype sets it");
        }
    }
    Ok(())
}

fn set_elsewhere(field: &str) -> Error {
    Error::input(format!("the container `{CONTAINER}` has the field `{field}`, which hype sets"))
}

/// Returns the path of the first non-empty field of `written` that is missing in `understood`.
fn find_unknown_field(written: &Value, understood: &Value, path: &str) -> Option<String> {
    match (written, understood) {
        (Value::Object(written), understood) => written.iter().find_map(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match understood.get(name) {
                None if is_empty(value) => None,
                None => Some(path),
                Some(understood) => find_unknown_field(value, understood, &path),
            }
        }),
        (Value::Array(written), Value::Array(understood)) => {
            written.iter().zip(understood).enumerate().find_map(|(index, (written, understood))| {
                find_unknown_field(written, understood, &format!("{path}[{index}]"))
            })
        }
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "spec: {containers: [{name: hype-run}]}";

    #[test]
    fn read_accepts_valid_pods() {
        let pod = read(include_str!("../runner/kubernetes/tests/java_version.yaml")).unwrap();
        let container = container(&pod).unwrap();
        assert_eq!(container.image_pull_policy.as_deref(), Some("Always"));
        assert_eq!(container.env.as_ref().unwrap()[0].value.as_deref(), Some("my-env-value"));
        assert!(read(MINIMAL).is_ok());
        assert!(
            read(
                "metadata: {name: x, labels: }\nspec: {containers: [{name: hype-run, args: [a]}]}"
            )
            .is_ok()
        );
    }

    #[test]
    fn read_rejects_pods_without_a_usable_container() {
        for (yaml, message, hint) in [
            ("kind: [", "the YAML is no Pod", ""),
            ("kind: Deployment\napiVersion: apps/v1", "the YAML is no Pod", ""),
            ("spec: {containers: []}", "no container called `hype-run`", "name: hype-run"),
            ("metadata: {}", "no container called `hype-run`", "name: hype-run"),
            (
                "spec: {restartPolicy: OnFailure, containers: [{name: hype-run}]}",
                "`restartPolicy` is OnFailure, and must be Never",
                "with_retries",
            ),
            (
                "spec: {containers: [{name: hype-run, image: a}]}",
                "`hype-run` has the field `image`",
                "with_image",
            ),
            (
                "spec: {containers: [{name: hype-run, command: [a]}]}",
                "`hype-run` has the field `command`",
                "entrypoint",
            ),
            (
                "spec: {containers: [{name: hype-run, enw: [a]}]}",
                "`spec.containers[0].enw` is no field",
                "misspelt",
            ),
            (
                "restartPolicy: Never\nspec: {containers: [{name: hype-run}]}",
                "`restartPolicy` is no field",
                "misspelt",
            ),
        ] {
            let report = read(yaml).unwrap_err().report();
            assert!(report.contains(message) && report.contains(hint), "{yaml}: {report}");
        }
    }
}
