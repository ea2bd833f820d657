//! The variables by which `hype-run` in a Pod reaches the stage.

use std::collections::BTreeMap;

use hype_stage::Provider;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use super::super::cluster::none_if_missing;
use super::Inner;
use crate::environment::pod_base;
use crate::error::Result;
use crate::runner::Process;
use crate::runner::endpoints::Endpoints;
use crate::runner::namespace::{Namespace, is_dns_subdomain};

/// The name of a provider's key file in a secret.
const KEY_FILE: &str = "key.json";

impl Inner {
    /// Returns the variables that lead `hype-run` to the stage, and whether the stage has a loopback address.
    pub(super) async fn stage_variables(
        &self,
        process: &Process,
        namespace: &Namespace,
    ) -> Result<(BTreeMap<String, String>, bool)> {
        let url = process.stage_url.as_str();
        let Some(endpoints) = Endpoints::of(url, |name| std::env::var(name).ok()) else {
            return Ok((BTreeMap::new(), false));
        };
        let mut variables = endpoints.variables();
        if let Some(name) = Provider::of(url).and_then(Provider::key_file_variable)
            && let Some(path) = self.key_file(name, process, namespace).await?
        {
            variables.insert(name.to_owned(), path);
        }
        Ok((variables, endpoints.on_loopback().is_some()))
    }

    /// Returns the path of the key file for `variable` in the Pod. The stage's secret comes first, then the variable in
    /// the environment. If neither has it, a variable of the Pod template or a service account stays in effect, and
    /// after that a secret of the guest is used.
    async fn key_file(
        &self,
        variable: &str,
        process: &Process,
        namespace: &Namespace,
    ) -> Result<Option<String>> {
        let env = &process.env;
        if let Some(secret) = &process.stage_secret {
            return Ok(Some(format!("{}/{KEY_FILE}", secret.path)));
        }
        if let Some(path) = env.env().get(variable) {
            return Ok(Some(path.clone()));
        }
        let base = env.placement().base.as_ref();
        let of_base =
            base.and_then(pod_base::container).and_then(|container| container.env.as_ref());
        let is_set_by_base = of_base.is_some_and(|env| env.iter().any(|it| it.name == variable));
        if is_set_by_base || env.placement().service_account.is_some() {
            return Ok(None);
        }
        let cluster = self.cluster.connect().await?;
        let secrets: Api<Secret> = cluster.api(namespace);
        let retry = cluster.retry(self.timeouts.unreachable_server).without_denial_retries();
        // The API server rejects a Pod with any other name.
        for (path, name) in env.secrets().iter().filter(|(_, name)| is_dns_subdomain(name)) {
            // Without permission, none is found. The Pod reports a missing secret itself.
            let response = retry.run(|| secrets.get(name)).await;
            let secret = none_if_missing(response).ok().flatten();
            let data = secret.and_then(|secret| secret.data);
            if data.is_some_and(|data| data.contains_key(KEY_FILE)) {
                return Ok(Some(format!("{path}/{KEY_FILE}")));
            }
        }
        Ok(None)
    }
}
