//! The checks of the rights in `docs/kubernetes/role.yaml`.

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;

use super::super::api_error::{ErrorClass, request_error};
use super::super::cluster::ConnectedCluster;
use super::super::retry::Retry;
use crate::doctor::Reporter;
use crate::error::Error;

/// The verbs that hype needs on a resource.
struct Rights {
    resource: &'static str,
    subresource: Option<&'static str>,
    verbs: &'static [&'static str],
}

/// The rights of `docs/kubernetes/role.yaml`, in its order.
const RIGHTS: [Rights; 5] = [
    Rights {
        resource: "pods",
        subresource: None,
        verbs: &["create", "get", "list", "watch", "delete"],
    },
    Rights { resource: "pods", subresource: Some("log"), verbs: &["get"] },
    Rights {
        resource: "persistentvolumeclaims",
        subresource: None,
        verbs: &["create", "get", "list", "delete"],
    },
    Rights { resource: "secrets", subresource: None, verbs: &["get"] },
    Rights { resource: "events", subresource: None, verbs: &["list", "watch"] },
];

/// The names of the checks, one for each of the rights.
pub(super) const NAMES: [&str; RIGHTS.len()] = [
    "rights: pods",
    "rights: pods/log",
    "rights: persistentvolumeclaims",
    "rights: secrets",
    "rights: events",
];

/// Checks the rights of this user in the default namespace.
pub(super) async fn check(cluster: &ConnectedCluster, retry: &Retry, reporter: &Reporter) {
    let all = RIGHTS.iter().map(|rights| missing_verbs(cluster, retry, rights));
    let all = join_all(all).await;
    for ((name, rights), missing) in NAMES.into_iter().zip(&RIGHTS).zip(all) {
        match missing {
            Ok(missing) if missing.is_empty() => reporter.ok(name, rights.verbs.join(", ")),
            Ok(missing) => {
                let (missing, namespace) = (missing.join(", "), &cluster.namespace);
                let resource = name.trim_start_matches("rights: ");
                let error =
                    Error::input(format!("this user may not {missing} {resource} in {namespace}"));
                reporter.failed(
                    name,
                    &error.hint(format!(
                        "kubectl apply --namespace {namespace} -f docs/kubernetes/role.yaml, and bind its Role to the user"
                    )),
                );
            }
            Err(error) if ErrorClass::of(&error) == ErrorClass::Forbidden => {
                reporter.unknown(name, "this user may not ask for its rights");
            }
            Err(error) => reporter.failed(name, &request_error("cannot ask for the rights", error)),
        }
    }
}

/// Returns those of the verbs that this user lacks.
async fn missing_verbs(
    cluster: &ConnectedCluster,
    retry: &Retry,
    rights: &Rights,
) -> Result<Vec<&'static str>, kube::Error> {
    let reviews: Api<SelfSubjectAccessReview> = cluster.cluster_api();
    let (mut missing, parameters) = (Vec::new(), PostParams::default());
    for verb in rights.verbs {
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(cluster.namespace.to_string()),
                    resource: Some(rights.resource.to_owned()),
                    subresource: rights.subresource.map(str::to_owned),
                    verb: Some((*verb).to_owned()),
                    ..Default::default()
                }),
                ..Default::default()
            },
            ..Default::default()
        };
        let answer = retry.run(|| reviews.create(&parameters, &review)).await?;
        if !answer.status.is_some_and(|status| status.allowed) {
            missing.push(*verb);
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{NAMES, RIGHTS};

    #[test]
    fn rights_are_those_of_the_documented_role() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/kubernetes/role.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        let role = text.split("---\n").find(|part| part.contains("kind: Role\n")).unwrap();
        let role: Value = serde_saphyr::from_str(role).unwrap();
        let documented = role["rules"].as_array().unwrap().iter().map(|rule| {
            assert_eq!(rule["apiGroups"], serde_json::json!([""]));
            (rule["resources"].clone(), rule["verbs"].clone())
        });
        let checked = RIGHTS.iter().zip(NAMES).map(|(rights, name)| {
            let resource = match rights.subresource {
                Some(subresource) => format!("{}/{subresource}", rights.resource),
                None => rights.resource.to_owned(),
            };
            assert_eq!(name, format!("rights: {resource}"));
            (serde_json::json!([resource]), serde_json::json!(rights.verbs))
        });
        assert_eq!(documented.collect::<Vec<_>>(), checked.collect::<Vec<_>>());
    }
}
