//! The options of a runner.

use super::super::cluster::ClusterSource;
use super::super::waits::PodTimeouts;
use super::KubernetesRunner;
use crate::environment::pod_base;
use crate::error::{Error, Result};
use crate::runner::namespace::{Namespace, is_dns_subdomain};

impl KubernetesRunner {
    /// Sets the context of the kubeconfig. The default is the current context.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// # use hype::kubernetes::KubernetesRunner;
    /// let runner = KubernetesRunner::new()?.with_context("staging")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_context(self, context: impl Into<String>) -> Result<Self> {
        let source = ClusterSource::Kubeconfig { context: Some(context.into()) };
        self.change(|inner| inner.cluster.set_source(source))
    }

    /// Sets the namespace of environments that name none. The default is the namespace of the context.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// # use hype::kubernetes::KubernetesRunner;
    /// let runner = KubernetesRunner::new()?.with_namespace("batch")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_namespace(self, namespace: impl Into<String>) -> Result<Self> {
        self.change(|inner| inner.cluster.set_namespace(namespace.into()))
    }

    /// Adds namespaces in which this runner lists, attaches to, cancels and garbage-collects runs, besides its default
    /// namespace and those in which it creates Pods.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a name can't be a namespace, or if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// # use hype::kubernetes::KubernetesRunner;
    /// let runner = KubernetesRunner::new()?.with_searched_namespaces(["batch", "training"])?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_searched_namespaces<N: AsRef<str>>(
        self,
        namespaces: impl IntoIterator<Item = N>,
    ) -> Result<Self> {
        let namespaces = namespaces.into_iter().map(|name| Namespace::parse(name.as_ref()));
        let namespaces = namespaces.collect::<Result<Vec<_>>>()?;
        self.change(|inner| inner.further_namespaces.extend(namespaces))
    }

    /// Sets the Pod template, as YAML, of environments without [their own](crate::RunEnvironment::from_yaml).
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if the YAML isn't a Pod with a container `hype-run`, or if a clone of this
    /// runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// # use hype::kubernetes::KubernetesRunner;
    /// let yaml = "
    /// spec:
    ///   nodeSelector: {pool: batch}
    ///   containers: [{name: hype-run}]
    /// ";
    /// let runner = KubernetesRunner::new()?.with_yaml_str(yaml)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_yaml_str(self, yaml: &str) -> Result<Self> {
        let base = pod_base::read(yaml)
            .map_err(|error| Error::input("cannot use the YAML").because(error))?;
        self.change(|inner| inner.base = Some(base))
    }

    /// Sets how long to tolerate each transient state of a Pod.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// # use std::time::Duration;
    /// # use hype::kubernetes::{KubernetesRunner, PodTimeouts};
    /// let mut timeouts = PodTimeouts::default();
    /// timeouts.unreachable_server = Duration::from_secs(1800);
    /// let runner = KubernetesRunner::new()?.with_pod_timeouts(timeouts)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_pod_timeouts(self, timeouts: PodTimeouts) -> Result<Self> {
        self.change(|inner| inner.timeouts = timeouts)
    }

    /// Sets the RuntimeClass of Pods whose template names none: `gvisor` is a sandbox of GKE, which puts another one around
    /// `hype-run` and the commands that a closure starts. The default is the cluster's own runtime.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if it can't be the name of a RuntimeClass, or if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// # use hype::kubernetes::KubernetesRunner;
    /// let runner = KubernetesRunner::new()?.with_runtime_class("gvisor")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_runtime_class(self, class: impl Into<String>) -> Result<Self> {
        let class = class.into();
        if !is_dns_subdomain(&class) {
            let problem = format!("`{}` is not the name of a RuntimeClass", class.escape_debug());
            return Err(Error::input(problem).hint("kubectl get runtimeclass lists them"));
        }
        self.change(|inner| inner.runtime_class = Some(class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_class_is_validated() {
        for class in ["gvisor", "kata.example.com"] {
            let runner = KubernetesRunner::new().unwrap().with_runtime_class(class).unwrap();
            assert_eq!(runner.0.runtime_class.as_deref(), Some(class));
        }
        for class in ["", "gVisor", "a/b", "a..b", "-a", "a\n"] {
            let error = KubernetesRunner::new().unwrap().with_runtime_class(class).unwrap_err();
            assert!(error.report().contains("kubectl get runtimeclass"), "{error:?}");
        }
    }
}
