//! Where a cluster of Google's answers: by a name, in public, or in its own network.

use std::fmt;
use std::time::Duration;

use http::{Request, StatusCode};
use kube::client::Body;
use kube::config::Kubeconfig;
use kube::{Client, Config, Error as KubeError};
use serde_json::{Value, json};

use super::bearer::Bearer;
use crate::runner::kubernetes::refusal::chain;

/// How long an endpoint may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// One way to a cluster's API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(super) kind: Kind,
    pub(super) address: String,
    /// The authority of its certificate, base64 of PEM; without one it is of those that everybody
    /// knows.
    pub(super) authority: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reached from everywhere, by who has the right to it.
    Name,
    Public,
    /// Reached within the cluster's network.
    Private,
}

impl Endpoint {
    /// Those of a cluster that Google describes so, the best first.
    pub(super) fn all(cluster: &Value) -> Vec<Self> {
        let configured = &cluster["controlPlaneEndpointsConfig"];
        let name = &configured["dnsEndpointConfig"];
        let addresses = &configured["ipEndpointsConfig"];
        let private = &cluster["privateClusterConfig"];
        let is_private_alone =
            addresses["enablePublicEndpoint"] == false || private["enablePrivateEndpoint"] == true;
        let main = cluster["endpoint"].as_str();
        let main = |is: bool| main.filter(|_| is);
        let public = addresses["publicEndpoint"]
            .as_str()
            .or(private["publicEndpoint"].as_str())
            .filter(|_| !is_private_alone)
            .or(main(!is_private_alone));
        let private = addresses["privateEndpoint"]
            .as_str()
            .or(private["privateEndpoint"].as_str())
            .or(main(is_private_alone));
        let has_addresses = addresses["enabled"] != false;
        let authority = cluster["masterAuth"]["clusterCaCertificate"].as_str();
        let by_name = name["endpoint"].as_str().filter(|_| name["allowExternalTraffic"] == true);
        let endpoint = |kind, address: Option<&str>, authority: Option<&str>| {
            let address = address.filter(|address| !address.is_empty())?.to_owned();
            Some(Self { kind, address, authority: authority.map(str::to_owned) })
        };
        let all = [
            endpoint(Kind::Name, by_name, None),
            endpoint(Kind::Public, public.filter(|_| has_addresses), authority),
            endpoint(Kind::Private, private.filter(|_| has_addresses), authority),
        ];
        all.into_iter().flatten().collect()
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A connection to it.
    pub(super) async fn client(&self, bearer: Bearer) -> Result<Client, String> {
        let config = config(&self.url(), self.authority.as_deref()).await?;
        let client = Client::try_from(config).map_err(|error| chain(&error))?;
        Ok(bearer.give_to(client))
    }

    /// Makes sure that it answers us; else says why it doesn't.
    pub(super) async fn answers(&self, bearer: Bearer) -> Result<(), String> {
        let client = self.client(bearer).await?;
        let request = Request::get("/version").body(Body::empty());
        let request = request.map_err(|error| error.to_string())?;
        let response = match client.send(request).await {
            Ok(response) => response,
            Err(KubeError::Service(error)) => return Err(chain(&*error)),
            Err(error) => return Err(chain(&error)),
        };
        match response.status() {
            // A name is of a server of Google's, which refuses who has no right to the cluster.
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
                if self.kind == Kind::Name =>
            {
                Err(status.to_string())
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Name => "DNS",
            Kind::Public => "public",
            Kind::Private => "private",
        };
        write!(f, "{kind} endpoint {}", self.address)
    }
}

/// The configuration of a server at `url`, which has a certificate by `authority`, base64 of PEM, or else
/// by one of those that everybody knows.
pub(super) async fn config(
    url: &str,
    authority: Option<&str>,
) -> std::result::Result<Config, String> {
    let kubeconfig = json!({
        "clusters": [{"name": "gke", "cluster":
            {"server": url, "certificate-authority-data": authority}}],
        "users": [{"name": "gke", "user": {}}],
        "contexts": [{"name": "gke", "context": {"cluster": "gke", "user": "gke"}}],
        "current-context": "gke",
    });
    let kubeconfig: Kubeconfig =
        serde_json::from_value(kubeconfig).map_err(|error| error.to_string())?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await;
    let mut config = config.map_err(|error| error.to_string())?;
    // We know ourselves what may be asked again, and for how long.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    Ok(config)
}
