//! Runs each closure in its own Pod of a Kubernetes cluster.
//!
//! Pure functions decide: the manifests of Pods and claims ([`pod`], [`mounts`], [`hardening`], [`claim`]), the state of
//! a Pod ([`snapshot`]), its timeouts ([`waits`]), the meaning of its end ([`end`]) and of API errors ([`api_error`]).
//! I/O with the cluster is in [`retry`], [`cluster`], `gke` for Google's clusters, [`pod_watch`], [`events`],
//! [`log_reader`], [`pod_lifecycle`], [`volumes`], [`run`], [`foreign_run`] and [`leftovers`]. [`check`] checks rights.

mod api_error;
mod check;
mod claim;
mod cluster;
mod collection;
mod deletion;
mod end;
mod events;
#[cfg(test)]
mod fake_api_server;
mod foreign_run;
#[cfg(feature = "gcs")]
mod gke;
mod hardening;
mod leftovers;
mod log_reader;
mod mounts;
mod pod;
mod pod_lifecycle;
mod pod_watch;
mod processes;
mod recorded_namespaces;
mod reporter;
mod retry;
mod run;
mod runner;
#[cfg(test)]
mod scenarios;
mod search;
mod snapshot;
mod stage_check;
mod volumes;
mod waits;

pub use runner::KubernetesRunner;
pub use waits::PodTimeouts;
