//! The connection to a cluster.

use std::fmt;
use std::time::Duration;

use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Error as KubeError};
use tokio::sync::OnceCell;

use super::api_error::ErrorClass;
use super::retry::Retry;
use crate::configuration::Key;
use crate::error::{Error, Result};
use crate::runner::namespace::Namespace;

/// The time to wait for a TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The source of a cluster's address and credentials.
#[derive(Clone)]
pub(crate) enum ClusterSource {
    /// The kubeconfig, in this context or the current one. Without a kubeconfig, the service account of the Pod.
    Kubeconfig { context: Option<String> },
    /// The service account of the Pod that this program runs in.
    InCluster,
    /// Google's API.
    #[cfg(feature = "gcs")]
    Gke(super::gke::GkeCluster),
    /// A given client, for tests.
    #[cfg(test)]
    TestClient(Client),
}

/// A cluster, connected on first use.
#[derive(Debug)]
pub(crate) struct Cluster {
    source: ClusterSource,
    namespace: Option<String>,
    connected: OnceCell<ConnectedCluster>,
}

/// A cluster whose address and credentials are known.
#[derive(Clone)]
pub(crate) struct ConnectedCluster {
    client: Client,
    /// The address of the API server, for messages.
    pub(crate) address: String,
    /// The default namespace.
    pub(crate) namespace: Namespace,
}

impl Cluster {
    pub(crate) fn new(source: ClusterSource) -> Self {
        Self { source, namespace: None, connected: OnceCell::new() }
    }

    pub(crate) fn set_namespace(&mut self, namespace: String) {
        self.namespace = Some(namespace);
    }

    pub(crate) fn set_source(&mut self, source: ClusterSource) {
        self.source = source;
    }

    /// Returns the shared connection, which the first call creates.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if no configuration names a cluster.
    pub(crate) async fn connect(&self) -> Result<&ConnectedCluster> {
        self.connected.get_or_try_init(|| self.new_connection()).await
    }

    /// Creates a new connection. A connection ends with the runtime in which it was created.
    pub(crate) async fn new_connection(&self) -> Result<ConnectedCluster> {
        let (client, address) = match &self.source {
            #[cfg(test)]
            ClusterSource::TestClient(client) => (client.clone(), "the script".to_owned()),
            #[cfg(feature = "gcs")]
            ClusterSource::Gke(gke) => gke.client().await?,
            source => {
                let mut config = source.config().await?;
                let address = config.cluster_url.to_string();
                // `Retry` has its own policy.
                config.default_retry = false;
                config.connect_timeout = Some(CONNECT_TIMEOUT);
                let client = Client::try_from(config).map_err(|error| {
                    Error::input(format!("cannot use the cluster at {address}"))
                        .because(error.to_string())
                })?;
                (client, address)
            }
        };
        let namespace = self.namespace.as_deref().unwrap_or(client.default_namespace());
        let namespace = Namespace::parse(namespace)
            .map_err(|error| error.concerning_value(Key::Namespace, namespace))?;
        Ok(ConnectedCluster { client, address, namespace })
    }
}

impl ClusterSource {
    async fn config(&self) -> Result<Config> {
        match self {
            Self::InCluster => Config::incluster().map_err(|error| {
                Error::input("this program doesn't run in a Pod with a service account")
                    .because(error)
            }),
            Self::Kubeconfig { context } => match Kubeconfig::read() {
                Ok(kubeconfig) => of_kubeconfig(kubeconfig, context.clone()).await,
                Err(error) => match (context, Config::incluster()) {
                    (None, Ok(config)) => Ok(config),
                    _ => Err(Error::input("there is no cluster that kubectl would use")
                        .because(error)
                        .hint(
                            "set KUBECONFIG to a file that names one; check it by kubectl config view",
                        )
                        .concerning(Key::Submitter)),
                },
            },
            #[cfg(feature = "gcs")]
            Self::Gke(_) => Err(Error::input("Google's API has the addresses of its clusters")),
            #[cfg(test)]
            Self::TestClient(_) => Err(Error::input("a given client needs no configuration")),
        }
    }
}

async fn of_kubeconfig(kubeconfig: Kubeconfig, context: Option<String>) -> Result<Config> {
    let names: Vec<_> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let wanted = context.clone().or_else(|| kubeconfig.current_context.clone());
    let options = KubeConfigOptions { context, ..Default::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| {
        let wanted = wanted.map_or_else(|| "none".to_owned(), |wanted| format!("`{wanted}`"));
        Error::input(format!("cannot use the context {wanted} of the kubeconfig"))
            .because(error)
            .hint(format!("the kubeconfig has these contexts: {}", names.join(", ")))
            .concerning(Key::Context)
    })
}

impl ConnectedCluster {
    /// Returns the retry policy of requests to this cluster.
    pub(crate) fn retry(&self, timeout: Duration) -> Retry {
        Retry::new(&self.address, timeout)
    }

    /// Returns the version of the API server.
    pub(crate) async fn version(&self) -> std::result::Result<String, KubeError> {
        Ok(self.client.apiserver_version().await?.git_version)
    }

    /// Returns the API of one kind of resource that is in no namespace.
    pub(crate) fn cluster_api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = ClusterResourceScope>,
        K::DynamicType: Default,
    {
        Api::all(self.client.clone())
    }

    /// Returns the API of one kind of resource in `namespace`.
    pub(crate) fn api<K>(&self, namespace: &Namespace) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace.as_str())
    }
}

impl fmt::Debug for ConnectedCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reached({})", self.address)
    }
}

impl fmt::Debug for ClusterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubeconfig { context } => write!(f, "Kubeconfig({context:?})"),
            Self::InCluster => f.write_str("InCluster"),
            #[cfg(feature = "gcs")]
            Self::Gke(gke) => write!(f, "{gke:?}"),
            #[cfg(test)]
            Self::TestClient(_) => f.write_str("Given"),
        }
    }
}

/// Converts a `NotFound` response to `None`.
pub(crate) fn none_if_missing<T>(
    response: std::result::Result<T, KubeError>,
) -> std::result::Result<Option<T>, KubeError> {
    match response {
        Ok(resource) => Ok(Some(resource)),
        Err(error) if ErrorClass::of(&error) == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
