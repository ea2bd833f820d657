//! A cluster as people name it, and what Google's API says of it.

use std::fmt;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use kube::core::Status;
use kube::{Client, Error as KubeError};
use serde_json::Value;

use super::bearer::{Bearer, unknown};
use super::endpoints::{Endpoint, Kind, config};
use crate::error::{Error, Result};
use crate::runner::kubernetes::patience::Patience;
use crate::runner::kubernetes::refusal::{chain, told};

/// Google's API, and the variable by which users of gcloud name another.
const API: &str = "https://container.googleapis.com";
const OVERRIDE: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER";

/// How long the API is waited for while it is away.
const PATIENCE: Duration = Duration::from_secs(30);

/// A project, a zone or region, and the name of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    project: String,
    location: String,
    cluster: String,
}

impl Named {
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when nothing can be called so.
    pub(crate) fn new(project: &str, location: &str, cluster: &str) -> Result<Self> {
        let is_of = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        for (what, name) in [("project", project), ("location", location), ("cluster", cluster)] {
            if name.is_empty() || !name.chars().all(is_of) {
                return Err(Error::input(format!("no {what} of Google's is called `{name}`")));
            }
        }
        let owned = str::to_owned;
        Ok(Self { project: owned(project), location: owned(location), cluster: owned(cluster) })
    }

    /// What Google's API says of the cluster.
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
        let client = bearer.give_to(client);
        let asked = Patience::of(api, PATIENCE).of_optional().persist(|| self.ask(&client)).await;
        asked.map_err(|error| self.undescribed(api, error))
    }

    async fn ask(&self, client: &Client) -> std::result::Result<Value, KubeError> {
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

    fn undescribed(&self, api: &str, error: KubeError) -> Error {
        let status = match error {
            KubeError::Api(status) => status,
            KubeError::Service(error) if error.is::<hype_stage::StageError>() => {
                return match error.downcast() {
                    Ok(error) => unknown(*error),
                    Err(error) => Error::runner("nobody says who we are for Google", error),
                };
            }
            error => {
                return Error::runner(format!("cannot ask {api} for {self}"), chain(&error))
                    .hint("is the network up?");
            }
        };
        let Self { project, .. } = self;
        let said = told(&status);
        match status.code {
            404 => Error::input(format!("there is no {self}")).because(said).hint(format!(
                "gcloud container clusters list --project {project} tells which there are, each with \
                 its location"
            )),
            403 if is_api_disabled(&said) => {
                Error::runner(format!("GKE's API is not enabled in the project {project}"), said)
                    .hint(format!(
                        "gcloud services enable container.googleapis.com --project {project}"
                    ))
            }
            403 => Error::runner(format!("not allowed to look for {self}"), said).hint(
                "it takes container.clusters.get, which the role roles/container.clusterViewer gives; \
                 what closures need in the cluster is in docs/kubernetes.md",
            ),
            401 => Error::runner("Google doesn't take our credentials", said)
                .hint("gcloud auth application-default login makes new ones"),
            _ => Error::runner(format!("cannot ask {api} for {self}"), said),
        }
    }

    /// That none of the endpoints answered.
    pub(super) fn unreached(&self, description: &Value, tried: Vec<(Endpoint, String)>) -> Error {
        let Self { project, location, cluster } = self;
        if tried.is_empty() {
            let status = description["status"].as_str().unwrap_or("without an endpoint");
            return Error::runner(format!("{self} cannot be reached"), format!("it is {status}"))
                .hint(format!("gcloud container clusters describe {cluster} --location {location} --project {project}"));
        }
        let is_private_alone = tried.iter().all(|(endpoint, _)| endpoint.kind == Kind::Private);
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

/// Whether what is sent there can't be read on the way.
fn is_protected(url: &str) -> bool {
    let rest = url.strip_prefix("http://");
    url.starts_with("https://") || rest.is_some_and(crate::runner::endpoints::is_loopback)
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, location, cluster } = self;
        write!(f, "cluster {cluster} of the project {project} in {location}")
    }
}

/// Lines of causes, one for each.
#[derive(Debug)]
struct Lines(Vec<String>);

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n      "))
    }
}

impl std::error::Error for Lines {}

/// Whether GKE denies a request since its API is disabled in the project. kube's error keeps the text of Google's answer
/// alone, so that it decides.
fn is_api_disabled(message: &str) -> bool {
    message.contains("has not been used") || message.contains("is disabled")
}
