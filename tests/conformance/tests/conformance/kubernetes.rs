//! The Kubernetes runner with a real cluster: the suite, and failures that only Pods have.
//!
//! `KUBECONFIG` is the submitter's, `HYPE_STAGING` a bucket that Pods reach, `HYPE_IMAGE` an image with this
//! version's
//! `hype-run`. The tests inspect and disturb Pods with the kubeconfig `HYPE_TEST_ADMIN`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod concurrency;
mod gke;
mod killed_programs;
mod logs;
mod outage;
mod pod_failures;
mod pods;
mod program;
mod restarts;
mod stage_secret;
mod volumes;

use cluster::kubernetes;

conformance::suite!(
    kubernetes(),
    #[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
);
