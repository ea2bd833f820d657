//! The checks of a cluster: its API server, the rights in a namespace, quotas, and the Pod Security level.

mod quota;
mod rights;

use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, ResourceQuota};
use kube::Api;
use kube::api::ListParams;

use super::api_error::{ErrorClass, request_error};
use super::cluster::{Cluster, ConnectedCluster};
use super::retry::Retry;
use crate::configuration::Key;
use crate::doctor::{RETRY_TIMEOUT, Reporter};
use crate::error::{Error, Result};

const CLUSTER: &str = "cluster";
const NAMESPACE: &str = "namespace";
const QUOTA: &str = "quota";

/// The label of a namespace with its Pod Security level.
const POD_SECURITY: &str = "pod-security.kubernetes.io/enforce";

/// Checks the cluster, and the default namespace in it.
pub(super) async fn check(cluster: &Cluster, reporter: &Reporter) {
    let version = async {
        // The shared connection belongs to the submitter's thread.
        let cluster = cluster.new_connection().await?;
        let version = version(&cluster).await?;
        Ok((cluster, version))
    };
    let described = |(cluster, version): &(ConnectedCluster, String)| {
        format!("version {version} at {}, namespace {}", cluster.address, cluster.namespace)
    };
    let Some((cluster, _)) = reporter.result(CLUSTER, version.await, described) else {
        let names = rights::NAMES.into_iter().chain([QUOTA, NAMESPACE]);
        return names.for_each(|name| reporter.skipped(name, CLUSTER));
    };
    rights::check(&cluster, &retry(&cluster), reporter).await;
    check_quota(&cluster, reporter).await;
    check_namespace(&cluster, reporter).await;
}

fn retry(cluster: &ConnectedCluster) -> Retry {
    cluster.retry(RETRY_TIMEOUT).without_denial_retries()
}

async fn version(cluster: &ConnectedCluster) -> Result<String> {
    let version = retry(cluster).run(|| cluster.version()).await;
    let address = &cluster.address;
    version
        .map_err(|error| request_error(format!("cannot reach the API server at {address}"), error))
}

async fn check_quota(cluster: &ConnectedCluster, reporter: &Reporter) {
    let quotas: Api<ResourceQuota> = cluster.api(&cluster.namespace);
    let all = ListParams::default();
    match retry(cluster).run(|| quotas.list(&all)).await {
        Ok(quotas) => {
            let _ = reporter.result(QUOTA, quota::judge(&quotas.items), String::clone);
        }
        Err(error) if ErrorClass::of(&error) == ErrorClass::Forbidden => {
            reporter.unknown(QUOTA, "this user may not list resourcequotas");
        }
        Err(error) => reporter.failed(QUOTA, &request_error("cannot list resourcequotas", error)),
    }
}

/// Reports the Pod Security level of the namespace. hype's Pods satisfy each level, unless a user's own Pod doesn't.
async fn check_namespace(cluster: &ConnectedCluster, reporter: &Reporter) {
    let name = &cluster.namespace;
    let namespaces: Api<NamespaceObject> = cluster.cluster_api();
    match retry(cluster).run(|| namespaces.get(name.as_str())).await {
        Ok(namespace) => {
            let labels = namespace.metadata.labels.unwrap_or_default();
            let level = labels.get(POD_SECURITY).map_or("none", String::as_str);
            reporter.ok(NAMESPACE, format!("{name}, with the Pod Security level {level}"));
        }
        Err(error) if ErrorClass::of(&error) == ErrorClass::NotFound => {
            let error = Error::input(format!("there is no namespace {name}"))
                .hint(format!("kubectl create namespace {name}, or name another: HYPE_NAMESPACE"))
                .concerning(Key::Namespace);
            reporter.failed(NAMESPACE, &error);
        }
        Err(error) if ErrorClass::of(&error) == ErrorClass::Forbidden => {
            reporter.unknown(NAMESPACE, format!("this user may not read the namespace {name}"));
        }
        Err(error) => {
            reporter.failed(
                NAMESPACE,
                &request_error(format!("cannot read the namespace {name}"), error),
            );
        }
    }
}
