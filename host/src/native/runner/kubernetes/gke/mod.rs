//! Clusters of Google's: found by their names through Google's API, and spoken to with Google's tokens.

mod bearer;
mod cluster;
mod endpoints;
mod named;
#[cfg(test)]
mod tests;

pub(crate) use cluster::GkeCluster;
