//! Placement of Pods in a cluster, and their identity. Only the Kubernetes runner uses it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;

use crate::environment::RunEnvironment;
use crate::environment::pod_base;
use crate::error::{Error, Result};

/// The time that a Pod may wait for a node, unless the environment sets another one.
pub(crate) const DEFAULT_QUEUE_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The settings of an environment that only Kubernetes uses.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Placement {
    /// The Pod of the user's YAML, which the run's Pod is based on.
    pub(crate) base: Option<Pod>,
    pub(crate) namespace: Option<String>,
    pub(crate) service_account: Option<String>,
    pub(crate) limits: BTreeMap<String, String>,
    pub(crate) node_selector: BTreeMap<String, String>,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) image_pull_secrets: Vec<String>,
    pub(crate) priority_class: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    /// The user id and the group id.
    pub(crate) run_as: Option<(u32, u32)>,
    pub(crate) queue_timeout: Option<Duration>,
}

impl Placement {
    /// Adds the settings that are set to the `Debug` form of an environment. The content of the YAML is left out, since
    /// it may contain secret values of variables.
    pub(crate) fn add_fields_to(&self, text: &mut fmt::DebugStruct<'_, '_>) {
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

/// A toleration, with which a Pod may run on tainted nodes: `Toleration::of("nvidia.com/gpu")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toleration {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) effect: Option<String>,
}

impl Toleration {
    /// Returns a toleration of all taints with this key, for any value and effect.
    ///
    /// ```
    /// use hype::kubernetes::Toleration;
    ///
    /// let env = hype::RunEnvironment::new().with_toleration(Toleration::of("nvidia.com/gpu"));
    /// ```
    pub fn of(key: impl Into<String>) -> Self {
        Self { key: key.into(), value: None, effect: None }
    }

    /// Restricts the toleration to taints with this value.
    ///
    /// ```
    /// let spot = hype::kubernetes::Toleration::of("pool").with_value("spot");
    /// ```
    #[must_use]
    pub fn with_value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Restricts the toleration to taints with this effect: `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    ///
    /// ```
    /// let spot = hype::kubernetes::Toleration::of("pool").with_effect("NoSchedule");
    /// ```
    #[must_use]
    pub fn with_effect(mut self, effect: impl Into<String>) -> Self {
        self.effect = Some(effect.into());
        self
    }
}

/// Settings that only Kubernetes uses.
impl RunEnvironment {
    /// Returns an environment whose Pods are based on the Pod in the YAML file `path`.
    ///
    /// The Pod must have a container `hype-run`, without `image` and `command`. All other fields are kept, except the
    /// Pod's name and the container's arguments and termination message. Settings of the environment are added to them.
    /// [`from_yaml_str`](Self::from_yaml_str) reads YAML that is compiled into the program.
    ///
    /// ```no_run
    /// let env = hype::RunEnvironment::from_yaml("pod.yaml")?.with_image("example.com/hype-run:1");
    /// # hype::Result::Ok(())
    /// ```
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

    /// Returns an environment whose Pods are based on the Pod in `yaml`, such as `include_str!("pod.yaml")`.
    /// [`from_yaml`](Self::from_yaml) lists the conditions.
    ///
    /// ```
    /// let yaml = "spec: {priority: 5, containers: [{name: hype-run}]}";
    /// let env = hype::RunEnvironment::from_yaml_str(yaml)?;
    /// assert!(hype::RunEnvironment::from_yaml_str("spec: {containers: []}").is_err());
    /// # hype::Result::Ok(())
    /// ```
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

    /// Sets the namespace of the Pods. The default is the runner's namespace.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_namespace("team-a");
    /// assert_eq!(format!("{env:?}"), r#"RunEnvironment { namespace: "team-a" }"#);
    /// ```
    #[must_use]
    pub fn with_namespace(&self, namespace: impl Into<String>) -> Self {
        self.change_placement(|placement| placement.namespace = Some(namespace.into()))
    }

    /// Sets the service account of the Pods. `hype-run` accesses the stage with its credentials on clusters whose nodes
    /// provide them (Workload Identity in GKE). The account's token is not mounted into the Pod.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_service_account("trainer");
    /// assert_eq!(format!("{env:?}"), r#"RunEnvironment { service_account: "trainer" }"#);
    /// ```
    #[must_use]
    pub fn with_service_account(&self, name: impl Into<String>) -> Self {
        self.change_placement(|placement| placement.service_account = Some(name.into()))
    }

    /// Adds a resource limit, in Kubernetes' notation: `("memory", "4Gi")`. A container that exceeds its memory limit
    /// is killed. Extended resources, such as `nvidia.com/gpu`, need no limit: it equals their request.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_limit("memory", "4Gi");
    /// assert_eq!(format!("{env:?}"), r#"RunEnvironment { limits: {"memory": "4Gi"} }"#);
    /// ```
    #[must_use]
    pub fn with_limit(&self, resource: impl Into<String>, quantity: impl Into<String>) -> Self {
        self.change_placement(|it| drop(it.limits.insert(resource.into(), quantity.into())))
    }

    /// Restricts Pods to nodes with this label: `("cloud.google.com/gke-nodepool", "gpus")`.
    ///
    /// The label `kubernetes.io/arch` also selects the architecture of the closure's machine code. The default is
    /// `amd64`.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_node_selector("kubernetes.io/arch", "arm64");
    /// assert_eq!(format!("{env:?}"), r#"RunEnvironment { node_selector: {"kubernetes.io/arch": "arm64"} }"#);
    /// ```
    #[must_use]
    pub fn with_node_selector(&self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.change_placement(|it| drop(it.node_selector.insert(label.into(), value.into())))
    }

    /// Adds a toleration, so that Pods may also run on nodes with this taint.
    ///
    /// ```
    /// use hype::kubernetes::Toleration;
    ///
    /// let gpu = Toleration::of("nvidia.com/gpu").with_effect("NoSchedule");
    /// let env = hype::RunEnvironment::new().with_toleration(gpu).with_request("nvidia.com/gpu", "1");
    /// ```
    #[must_use]
    pub fn with_toleration(&self, toleration: Toleration) -> Self {
        self.change_placement(|placement| placement.tolerations.push(toleration))
    }

    /// Adds a Secret with the credentials for pulling the image.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_image_pull_secret("registry");
    /// assert_eq!(format!("{env:?}"), r#"RunEnvironment { image_pull_secrets: ["registry"] }"#);
    /// ```
    #[must_use]
    pub fn with_image_pull_secret(&self, name: impl Into<String>) -> Self {
        self.change_placement(|placement| placement.image_pull_secrets.push(name.into()))
    }

    /// Sets the priority class of the Pods.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_priority_class("batch");
    /// assert_eq!(format!("{env:?}"), r#"RunEnvironment { priority_class: "batch" }"#);
    /// ```
    #[must_use]
    pub fn with_priority_class(&self, name: impl Into<String>) -> Self {
        self.change_placement(|placement| placement.priority_class = Some(name.into()))
    }

    /// Adds a label to the Pods.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_label("team", "ranking");
    /// assert_eq!(format!("{env:?}"), r#"RunEnvironment { labels: {"team": "ranking"} }"#);
    /// ```
    #[must_use]
    pub fn with_label(&self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.change_placement(|it| drop(it.labels.insert(name.into(), value.into())))
    }

    /// Sets the user id and the group id of the container. The default of both is 65532, an unprivileged user. The
    /// group also becomes the owner of volumes that support it (`fsGroup`).
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_run_as(1000, 1000);
    /// assert_eq!(format!("{env:?}"), "RunEnvironment { run_as: (1000, 1000) }");
    /// ```
    #[must_use]
    pub fn with_run_as(&self, user: u32, group: u32) -> Self {
        self.change_placement(|placement| placement.run_as = Some((user, group)))
    }

    /// Sets the time that a Pod may wait for a node. The default is 15 minutes. It starts again when the cluster adds
    /// nodes.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let env = hype::RunEnvironment::new().with_queue_timeout(Duration::from_secs(60 * 60));
    /// assert_eq!(format!("{env:?}"), "RunEnvironment { queue_timeout: 3600s }");
    /// ```
    #[must_use]
    pub fn with_queue_timeout(&self, timeout: Duration) -> Self {
        self.change_placement(|placement| placement.queue_timeout = Some(timeout))
    }
}
