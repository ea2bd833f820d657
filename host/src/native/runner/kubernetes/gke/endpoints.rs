//! The endpoints of a GKE cluster: by DNS name, public address or private address.

use std::fmt;
use std::time::Duration;

use http::{Request, StatusCode};
use kube::client::Body;
use kube::config::Kubeconfig;
use kube::{Client, Config, Error as KubeError};
use serde_json::{Value, json};

use super::bearer::Bearer;
use crate::runner::kubernetes::api_error::chain;

/// The time to wait for a TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An endpoint of a cluster's API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(super) kind: EndpointKind,
    pub(super) address: String,
    /// The certificate authority, base64 of PEM; `None` means the public ones.
    pub(super) authority: Option<String>,
}

/// The kind of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndpointKind {
    /// A DNS name, reachable from everywhere with permission.
    Name,
    /// A public address.
    Public,
    /// An address in the cluster's network.
    Private,
}

impl Endpoint {
    /// Returns the endpoints in Google's description of a cluster, the most reachable first.
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
            endpoint(EndpointKind::Name, by_name, None),
            endpoint(EndpointKind::Public, public.filter(|_| has_addresses), authority),
            endpoint(EndpointKind::Private, private.filter(|_| has_addresses), authority),
        ];
        all.into_iter().flatten().collect()
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Returns a client for the endpoint.
    pub(super) async fn client(&self, bearer: Bearer) -> Result<Client, String> {
        let config = config(&self.url(), self.authority.as_deref()).await?;
        let client = Client::try_from(config).map_err(|error| chain(&error))?;
        Ok(bearer.authorize_client(client))
    }

    /// Checks that the endpoint responds; otherwise returns the cause.
    pub(super) async fn probe(&self, bearer: Bearer) -> Result<(), String> {
        let client = self.client(bearer).await?;
        let request = Request::get("/version").body(Body::empty());
        let request = request.map_err(|error| error.to_string())?;
        let response = match client.send(request).await {
            Ok(response) => response,
            Err(KubeError::Service(error)) => return Err(chain(&*error)),
            Err(error) => return Err(chain(&error)),
        };
        match response.status() {
            // A DNS name leads to a server of Google, which checks the permission before the cluster does.
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
                if self.kind == EndpointKind::Name =>
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
            EndpointKind::Name => "DNS",
            EndpointKind::Public => "public",
            EndpointKind::Private => "private",
        };
        write!(f, "{kind} endpoint {}", self.address)
    }
}

/// Returns the client configuration for the server at `url`. `authority` is its certificate authority, base64 of PEM; `None`
/// means the public ones.
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
    // `Retry` has its own policy.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    Ok(config)
}
