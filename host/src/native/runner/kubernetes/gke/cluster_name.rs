//! The full name of a GKE cluster, and its description from Google's API.

use std::fmt;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use kube::core::Status;
use kube::{Client, Error as KubeError};
use serde_json::Value;

use super::bearer::{Bearer, credentials_error};
use super::endpoints::{Endpoint, EndpointKind, config};
use crate::error::{Error, Result};
use crate::runner::kubernetes::api_error::{chain, status_text};
use crate::runner::kubernetes::retry::Retry;

/// The URL of Google's API.
const API: &str = "https://container.googleapis.com";
/// The variable that overrides the URL of the API, also for gcloud.
const OVERRIDE: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER";

/// The retry timeout of requests to the API.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);

/// A project, a zone or region, and the name of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterName {
    project: String,
    location: String,
    cluster: String,
}

impl ClusterName {
    /// Validates the parts of the name.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a part is empty or has invalid characters.
    pub(crate) fn new(project: &str, location: &str, cluster: &str) -> Result<Self> {
        let is_of = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        for (what, name) in [("project", project), ("location", location), ("cluster", cluster)] {
            if name.is_empty() || !name.chars().all(is_of) {
                return Err(Error::input(format!(
                    "`{name}` is not a valid name of a {what} of Google's"
                )));
            }
        }
        let owned = str::to_owned;
        Ok(Self { project: owned(project), location: owned(location), cluster: owned(cluster) })
    }

    /// Requests the description of the cluster from Google's API.
    pub(super) async fn describe(&self, bearer: Bearer) -> Result<Value> {
        let api = std::env::var(OVERRIDE).ok().filter(|it| !it.is_empty());
        self.describe_by(bearer, api.as_deref().unwrap_or(API)).await
    }

    pub(super) async fn describe_by(&self, bearer: Bearer, api: &str) -> Result<Value> {
        let api = api.trim_end_matches('/');
        if !is_protected(api) {
            return Err(Error::input(format!(
                "{OVERRIDE} is `{api}`, which sends credentials over the network unprotected"
            )));
        }
        let unusable = |error: String| Error::input(format!("cannot use {api}")).because(error);
        let config = config(api, None).await.map_err(unusable)?;
        let client = Client::try_from(config).map_err(|error| unusable(chain(&error)))?;
        let client = bearer.authorize_client(client);
        let response = Retry::of(api, RETRY_TIMEOUT)
            .without_denial_retries()
            .run(|| self.request_description(&client))
            .await;
        response.map_err(|error| self.description_error(api, error))
    }

    async fn request_description(&self, client: &Client) -> std::result::Result<Value, KubeError> {
        let Self { project, location, cluster } = self;
        let path = format!("/v1/projects/{project}/locations/{location}/clusters/{cluster}");
        let request = Request::get(path).body(Body::empty()).map_err(KubeError::HttpError)?;
        let response = client.send(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let of_error = |field: &str| answer["error"][field].as_str().unwrap_or_default();
        let mut refusal = Status::failure(of_error("message"), of_error("status"));
        refusal.code = status.as_u16();
        Err(KubeError::Api(refusal.boxed()))
    }

    fn description_error(&self, api: &str, error: KubeError) -> Error {
        let status = match error {
            KubeError::Api(status) => status,
            KubeError::Service(error) if error.is::<hype_stage::StageError>() => {
                return match error.downcast() {
                    Ok(error) => credentials_error(*error),
                    Err(error) => Error::runner("cannot find usable Google credentials", error),
                };
            }
            error => {
                return Error::runner(format!("cannot ask {api} for {self}"), chain(&error))
                    .hint("is the network up?");
            }
        };
        let Self { project, .. } = self;
        let text = status_text(&status);
        match status.code {
            404 => Error::input(format!("there is no {self}")).because(text).hint(format!(
                "gcloud container clusters list --project {project} lists the clusters, each with \
                 its location"
            )),
            403 if is_api_disabled(&text) => {
                Error::runner(format!("GKE's API is not enabled in the project {project}"), text)
                    .hint(format!(
                        "gcloud services enable container.googleapis.com --project {project}"
                    ))
            }
            403 => Error::runner(format!("not allowed to look for {self}"), text).hint(
                "it requires container.clusters.get, which the role roles/container.clusterViewer gives; \
                 what closures need in the cluster is in docs/kubernetes.md",
            ),
            401 => Error::runner("Google doesn't take our credentials", text)
                .hint("gcloud auth application-default login creates new ones"),
            _ => Error::runner(format!("cannot ask {api} for {self}"), text),
        }
    }

    /// Returns the error after all endpoints failed.
    pub(super) fn unreachable_error(
        &self,
        description: &Value,
        tried: Vec<(Endpoint, String)>,
    ) -> Error {
        let Self { project, location, cluster } = self;
        if tried.is_empty() {
            let status = description["status"].as_str().unwrap_or("without an endpoint");
            return Error::runner(format!("{self} cannot be reached"), format!("it is {status}"))
                .hint(format!("gcloud container clusters describe {cluster} --location {location} --project {project}"));
        }
        let is_private_alone =
            tried.iter().all(|(endpoint, _)| endpoint.kind == EndpointKind::Private);
        let lines = tried.into_iter().map(|(endpoint, why)| format!("{endpoint}: {why}"));
        let error = Error::runner(format!("{self} cannot be reached"), Lines(lines.collect()));
        let update = format!("gcloud container clusters update {cluster} --location {location}");
        if is_private_alone {
            error.hint(format!(
                "it has a private endpoint alone: run this program in its network, or \
                 {update} --enable-dns-access"
            ))
        } else {
            error.hint(format!(
                "its authorized networks may leave this machine out: {update} \
                 --enable-dns-access reaches it from everywhere"
            ))
        }
    }
}

/// Returns whether requests to `url` are protected against eavesdropping.
fn is_protected(url: &str) -> bool {
    let rest = url.strip_prefix("http://");
    url.starts_with("https://") || rest.is_some_and(crate::runner::endpoints::is_loopback)
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, location, cluster } = self;
        write!(f, "cluster {cluster} of the project {project} in {location}")
    }
}

/// Causes, one on each line.
#[derive(Debug)]
struct Lines(Vec<String>);

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n      "))
    }
}

impl std::error::Error for Lines {}

/// Returns whether GKE denies a request since its API is disabled in the project. The error of kube only has the text of
/// Google's response, so this matches it.
fn is_api_disabled(message: &str) -> bool {
    message.contains("has not been used") || message.contains("is disabled")
}
