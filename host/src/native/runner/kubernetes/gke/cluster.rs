//! A GKE cluster with a reachable endpoint, and the runner for it.

use kube::Client;

use super::bearer::Bearer;
use super::cluster_name::ClusterName;
use super::endpoints::Endpoint;
use crate::error::{Error, Result};
use crate::runner::kubernetes::cluster::ClusterSource;
use crate::runner::kubernetes::runner::KubernetesRunner;

/// A cluster with a reachable endpoint.
#[derive(Debug, Clone)]
pub(crate) struct GkeCluster {
    name: ClusterName,
    endpoint: Endpoint,
}

impl GkeCluster {
    /// Finds the cluster, and chooses the first endpoint that responds.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if the cluster or the credentials don't exist;
    /// [`Runner`](crate::ErrorKind::Runner) if the cluster or Google's API denies access or doesn't respond.
    pub(crate) async fn find(name: ClusterName) -> Result<Self> {
        let bearer = Bearer::find()?;
        let description = name.describe(bearer.clone()).await?;
        let mut tried = Vec::new();
        for endpoint in Endpoint::all(&description) {
            match endpoint.probe(bearer.clone()).await {
                Ok(()) => return Ok(Self { name, endpoint }),
                Err(why) => tried.push((endpoint, why)),
            }
        }
        Err(name.unreachable_error(&description, tried))
    }

    /// Returns a client for the cluster, and its address.
    pub(crate) async fn client(&self) -> Result<(Client, String)> {
        let client = self.endpoint.client(Bearer::find()?).await.map_err(|error| {
            let Self { name, endpoint } = self;
            Error::input(format!("cannot use the {endpoint} of {name}")).because(error)
        })?;
        Ok((client, self.endpoint.url()))
    }
}

impl KubernetesRunner {
    /// Creates a runner for the GKE cluster `cluster` in the zone or region `location` of `project`, with the namespace
    /// `default`. Finds the cluster through Google's API with the application default credentials, and renews their
    /// tokens.
    ///
    /// `CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER` sets another URL of the API, as for gcloud.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if the cluster or the credentials don't exist;
    /// [`Runner`](crate::ErrorKind::Runner) if access is denied, or the cluster is unreachable.
    ///
    /// ```no_run
    /// # async fn run() -> hype::Result<()> {
    /// use hype::kubernetes::KubernetesRunner;
    ///
    /// let runner = KubernetesRunner::gke("my-project", "europe-west1-b", "my-cluster").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn gke(project: &str, location: &str, cluster: &str) -> Result<Self> {
        let name = ClusterName::new(project, location, cluster)?;
        Self::of(ClusterSource::Gke(GkeCluster::find(name).await?))
    }
}
