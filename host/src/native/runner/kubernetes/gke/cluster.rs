//! A cluster of Google's that has answered, and the runner for it.

use kube::Client;

use super::bearer::Bearer;
use super::endpoints::Endpoint;
use super::named::Named;
use crate::error::{Error, Result};
use crate::runner::kubernetes::cluster::Way;
use crate::runner::kubernetes::runner::KubernetesRunner;

/// A cluster of which it is known where it answers.
#[derive(Debug, Clone)]
pub(crate) struct GkeCluster {
    named: Named,
    endpoint: Endpoint,
}

impl GkeCluster {
    /// The cluster of this name, once it has answered.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when there is none, or nobody says who we are;
    /// [`Runner`](crate::ErrorKind::Runner) when it or Google's API refuses us or doesn't answer.
    pub(crate) async fn find(named: Named) -> Result<Self> {
        let bearer = Bearer::find()?;
        let description = named.describe(bearer.clone()).await?;
        let mut tried = Vec::new();
        for endpoint in Endpoint::all(&description) {
            match endpoint.answers(bearer.clone()).await {
                Ok(()) => return Ok(Self { named, endpoint }),
                Err(why) => tried.push((endpoint, why)),
            }
        }
        Err(named.unreached(&description, tried))
    }

    /// A connection to it, and its address.
    pub(crate) async fn client(&self) -> Result<(Client, String)> {
        let client = self.endpoint.client(Bearer::find()?).await.map_err(|error| {
            let Self { named, endpoint } = self;
            Error::input(format!("cannot use the {endpoint} of {named}")).because(error)
        })?;
        Ok((client, self.endpoint.url()))
    }
}

impl KubernetesRunner {
    /// A runner for a cluster of Google's, in its namespace `default`: in `project`, in the zone or region
    /// `location`, of the name `cluster`. Google's API says where it is, with application default
    /// credentials; their tokens are renewed for as long as the runner is there.
    ///
    /// `CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER` names another API, as for gcloud.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when there is no such cluster or nobody says who we are,
    /// [`Runner`](crate::ErrorKind::Runner) when we are refused or can't reach it.
    pub async fn gke(project: &str, location: &str, cluster: &str) -> Result<Self> {
        let named = Named::new(project, location, cluster)?;
        Self::of(Way::Gke(GkeCluster::find(named).await?))
    }
}
