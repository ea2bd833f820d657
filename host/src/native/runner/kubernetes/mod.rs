//! Runs closures in Pods of a Kubernetes cluster, one each.
//!
//! What is decided is in pure functions: what a Pod is made of ([`pod`], [`mounts`],
//! [`hardening`], [`claim`]), what it says of itself ([`seen`]), for how long it may wait ([`waits`]),
//! what its end means ([`end`]), and what an answer means ([`refusal`]). What talks to the cluster:
//! [`patience`], [`cluster`], `gke` where that is one of Google's, [`watching`], [`events`], [`output`], [`making`], [`volumes`], [`run`] and
//! [`leftovers`].

mod claim;
mod cluster;
mod end;
mod events;
mod following;
#[cfg(feature = "gcs")]
mod gke;
mod hardening;
mod leftovers;
mod making;
mod mounts;
mod output;
mod patience;
mod pod;
mod reach;
mod refusal;
mod run;
mod runner;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod scripted;
mod seen;
mod told;
mod volumes;
mod waits;
mod watching;

pub use runner::KubernetesRunner;
pub use waits::Graces;
