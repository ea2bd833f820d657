//! Where on a cluster a closure runs, and as whom: what Kubernetes knows and no other runner does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;

use crate::environment::RunEnvironment;
use crate::environment::pod_base;
use crate::error::{Error, Result};

/// How long a Pod may wait for a node, unless the environment says otherwise.
pub(crate) const QUEUE: Duration = Duration::from_secs(15 * 60);

/// What of an environment is for Kubernetes alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Placement {
    /// What the user's own YAML says of the Pod.
    pub(crate) base: Option<Pod>,
    pub(crate) namespace: Option<String>,
    pub(crate) service_account: Option<String>,
    pub(crate) limits: BTreeMap<String, String>,
    pub(crate) node_selector: BTreeMap<String, String>,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) image_pull_secrets: Vec<String>,
    pub(crate) priority_class: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    /// User and group.
    pub(crate) run_as: Option<(u32, u32)>,
    pub(crate) queue_timeout: Option<Duration>,
}

impl Placement {
    /// Adds what is named to what is shown of an environment. Of the YAML nothing but that there is
    /// some, since values of variables may be secret.
    pub(crate) fn show(&self, text: &mut fmt::DebugStruct<'_, '_>) {
        let mut field = |name: &str, value: Option<&dyn fmt::Debug>| {
            if let Some(value) = value {
                text.field(name, value);
            }
        };
        fn some<T: Default + PartialEq + fmt::Debug>(value: &T) -> Option<&dyn fmt::Debug> {
            (*value != T::default()).then_some(value)
        }
        fn of<T: fmt::Debug>(value: &Option<T>) -> Option<&dyn fmt::Debug> {
            value.as_ref().map(|value| value as _)
        }
        field("base", self.base.as_ref().map(|_| &"YAML" as _));
        field("namespace", of(&self.namespace));
        field("service_account", of(&self.service_account));
        field("limits", some(&self.limits));
        field("node_selector", some(&self.node_selector));
        field("tolerations", some(&self.tolerations));
        field("image_pull_secrets", some(&self.image_pull_secrets));
        field("priority_class", of(&self.priority_class));
        field("labels", some(&self.labels));
        field("run_as", of(&self.run_as));
        field("queue_timeout", of(&self.queue_timeout));
    }
}

/// A taint of nodes that a Pod bears: `Toleration::of("nvidia.com/gpu")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toleration {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) effect: Option<String>,
}

impl Toleration {
    /// That of the taint `key`, whatever its value and effect.
    pub fn of(key: impl Into<String>) -> Self {
        Self { key: key.into(), value: None, effect: None }
    }

    /// The same for this value of the taint alone.
    #[must_use]
    pub fn with_value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// The same for this effect alone: `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    #[must_use]
    pub fn with_effect(mut self, effect: impl Into<String>) -> Self {
        self.effect = Some(effect.into());
        self
    }
}

/// What counts on a cluster alone.
impl RunEnvironment {
    /// An environment whose Pod begins from that in the YAML file `path`.
    ///
    /// The Pod must have a container `hype-run`, without `image` and `command`. All that it says
    /// stays, but for its name, and that container's arguments and termination message; what the
    /// environment names comes on top. See [`from_yaml_str`](Self::from_yaml_str) for a file that is
    /// compiled in.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the file can't be read, or isn't such a Pod.
    pub fn from_yaml(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let unusable = || Error::input(format!("cannot use {}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| unusable().because(error))?;
        let pod = pod_base::read(&text).map_err(|error| unusable().because(error))?;
        Ok(Self::new().with_base(pod))
    }

    /// The same of the YAML itself: `RunEnvironment::from_yaml_str(include_str!("pod.yaml"))`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it isn't such a Pod.
    pub fn from_yaml_str(yaml: &str) -> Result<Self> {
        let pod = pod_base::read(yaml)
            .map_err(|error| Error::input("cannot use the YAML").because(error))?;
        Ok(Self::new().with_base(pod))
    }

    fn with_base(&self, pod: Pod) -> Self {
        self.change_placement(|placement| placement.base = Some(pod))
    }

    /// In this namespace, rather than that of the submitter.
    #[must_use]
    pub fn with_namespace(&self, namespace: impl Into<String>) -> Self {
        self.change_placement(|placement| placement.namespace = Some(namespace.into()))
    }

    /// As this service account, by which `hype-run` reaches the stage where nodes hand out
    /// credentials for it (GKE's Workload Identity). Its token isn't in the Pod.
    #[must_use]
    pub fn with_service_account(&self, name: impl Into<String>) -> Self {
        self.change_placement(|placement| placement.service_account = Some(name.into()))
    }

    /// With up to so much of a resource, in Kubernetes' notation: `("memory", "4Gi")`. A container
    /// that goes beyond its memory is killed. What is no resource of Kubernetes' own, such as
    /// `nvidia.com/gpu`, is limited to what is requested, and needs no limit besides.
    #[must_use]
    pub fn with_limit(&self, resource: impl Into<String>, quantity: impl Into<String>) -> Self {
        self.change_placement(|it| drop(it.limits.insert(resource.into(), quantity.into())))
    }

    /// On nodes with this label: `("cloud.google.com/gke-nodepool", "gpus")`.
    ///
    /// `("kubernetes.io/arch", "arm64")` also says what the closure's machine code is made for, which
    /// is `amd64` otherwise.
    #[must_use]
    pub fn with_node_selector(&self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.change_placement(|it| drop(it.node_selector.insert(label.into(), value.into())))
    }

    /// On nodes with this taint, too.
    #[must_use]
    pub fn with_toleration(&self, toleration: Toleration) -> Self {
        self.change_placement(|placement| placement.tolerations.push(toleration))
    }

    /// With this secret of the cluster for pulling the image.
    #[must_use]
    pub fn with_image_pull_secret(&self, name: impl Into<String>) -> Self {
        self.change_placement(|placement| placement.image_pull_secrets.push(name.into()))
    }

    /// With this priority class.
    #[must_use]
    pub fn with_priority_class(&self, name: impl Into<String>) -> Self {
        self.change_placement(|placement| placement.priority_class = Some(name.into()))
    }

    /// With this label on the Pod.
    #[must_use]
    pub fn with_label(&self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.change_placement(|it| drop(it.labels.insert(name.into(), value.into())))
    }

    /// As this user and group of the container's system, rather than as 65532, which is nobody's. The
    /// group also gets the volumes that can be given to one.
    #[must_use]
    pub fn with_run_as(&self, user: u32, group: u32) -> Self {
        self.change_placement(|placement| placement.run_as = Some((user, group)))
    }

    /// With this much time for a Pod to find a node, rather than 15 minutes. It begins again when the
    /// cluster adds nodes.
    #[must_use]
    pub fn with_queue_timeout(&self, timeout: Duration) -> Self {
        self.change_placement(|placement| placement.queue_timeout = Some(timeout))
    }
}
