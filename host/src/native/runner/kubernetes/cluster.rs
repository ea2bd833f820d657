//! The connection to a cluster, and how its requests are made.

use std::fmt;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Error as KubeError};
use tokio::sync::OnceCell;

use super::patience::Patience;
use super::refusal::Trouble;
use crate::error::{Error, Result};

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// How a cluster is found.
#[derive(Clone)]
pub(crate) enum Way {
    /// As `kubectl` does, in this context or the current one; or else as a Pod does.
    Kubeconfig { context: Option<String> },
    /// As a Pod of the cluster does.
    InCluster,
    /// By Google's API.
    #[cfg(feature = "gcs")]
    Gke(super::gke::GkeCluster),
    /// By a client that somebody else made, for tests.
    #[cfg(test)]
    Given(Client),
}

/// A cluster that is spoken to once somebody needs it.
#[derive(Debug)]
pub(crate) struct Cluster {
    way: Way,
    namespace: Option<String>,
    reached: OnceCell<Reached>,
}

/// A cluster whose address and credentials are known.
#[derive(Clone)]
pub(crate) struct Reached {
    client: Client,
    /// Where its API server is, for messages.
    pub(crate) address: String,
    /// The namespace where the environment names none.
    pub(crate) namespace: String,
}

impl Cluster {
    pub(crate) fn new(way: Way) -> Self {
        Self { way, namespace: None, reached: OnceCell::new() }
    }

    pub(crate) fn set_namespace(&mut self, namespace: String) {
        self.namespace = Some(namespace);
    }

    pub(crate) fn set_way(&mut self, way: Way) {
        self.way = way;
    }

    /// The cluster, once it is known where that is.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when nothing says where it is.
    pub(crate) async fn reach(&self) -> Result<&Reached> {
        self.reached.get_or_try_init(|| self.connect()).await
    }

    /// The same by a connection of its own, which doesn't outlast the runtime that it is made in.
    pub(crate) async fn connect(&self) -> Result<Reached> {
        let (client, address) = match &self.way {
            #[cfg(test)]
            Way::Given(client) => (client.clone(), "the script".to_owned()),
            #[cfg(feature = "gcs")]
            Way::Gke(gke) => gke.client().await?,
            way => {
                let mut config = way.config().await?;
                let address = config.cluster_url.to_string();
                // We know ourselves what may be asked again, and for how long.
                config.default_retry = false;
                config.connect_timeout = Some(CONNECT);
                let client = Client::try_from(config).map_err(|error| {
                    Error::input(format!("cannot use the cluster at {address}"))
                        .because(error.to_string())
                })?;
                (client, address)
            }
        };
        let namespace = self.namespace.as_deref().unwrap_or(client.default_namespace()).to_owned();
        Ok(Reached { client, address, namespace })
    }
}

impl Way {
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
                            "KUBECONFIG names a file that says where one is; kubectl config view",
                        )),
                },
            },
            #[cfg(feature = "gcs")]
            Self::Gke(_) => Err(Error::input("Google says where its clusters are")),
            #[cfg(test)]
            Self::Given(_) => Err(Error::input("a client that is there needs no configuration")),
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
    })
}

impl Reached {
    /// How its API server is asked, which may be away for as long as `longest`.
    pub(crate) fn patience(&self, longest: Duration) -> Patience {
        Patience::new(&self.address, longest)
    }

    /// What is of one kind in `namespace`.
    pub(crate) fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reached({})", self.address)
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubeconfig { context } => write!(f, "Kubeconfig({context:?})"),
            Self::InCluster => f.write_str("InCluster"),
            #[cfg(feature = "gcs")]
            Self::Gke(gke) => write!(f, "{gke:?}"),
            #[cfg(test)]
            Self::Given(_) => f.write_str("Given"),
        }
    }
}

/// `answer`, where a thing that isn't there is none.
pub(crate) fn found<T>(
    answer: std::result::Result<T, KubeError>,
) -> std::result::Result<Option<T>, KubeError> {
    match answer {
        Ok(thing) => Ok(Some(thing)),
        Err(error) if Trouble::of(&error) == Trouble::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
