//! GKE clusters: found by name through Google's API, and accessed with Google's tokens.

mod bearer;
mod cluster;
mod cluster_name;
mod endpoints;
#[cfg(test)]
mod tests;

pub(crate) use cluster::GkeCluster;
