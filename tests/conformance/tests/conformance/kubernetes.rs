//! The Kubernetes runner, with a real cluster: what every runner must do, and the ends that only Pods
//! have.
//!
//! `KUBECONFIG` is that of who submits, `HYPE_STAGING` a bucket that Pods reach, `HYPE_IMAGE` an image
//! with this version's `hype-run`. `HYPE_TEST_ADMIN` is a kubeconfig by which the tests look and
//! provoke what befalls Pods.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod again;
mod befallen;
mod cluster;
mod gke;
mod guarded;
mod logs;
mod many;
mod outage;
mod outlived;
mod pods;
mod program;
mod volumes;

use cluster::kubernetes;

conformance::suite!(
    kubernetes(),
    #[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
);
