//! The variables that lead clients of a storage provider to its service, forwarded to `hype-run` in containers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hype_stage::Provider;

/// The endpoint variables and settings of this process for the provider of a stage, without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoints {
    endpoints: BTreeMap<&'static str, String>,
    settings: BTreeMap<&'static str, String>,
}

impl Endpoints {
    /// Collects the variables for the stage at `url`; `None` if the URL belongs to no provider.
    pub(crate) fn of(url: &str, variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let provider = Provider::of(url)?;
        let endpoints = provider.endpoints(&variable);
        Some(Self { endpoints, settings: provider.settings(variable) })
    }

    /// Returns the variable that names a loopback address, with its value.
    pub(crate) fn on_loopback(&self) -> Option<(&'static str, &str)> {
        let mut endpoints = self.endpoints.iter().map(|(name, value)| (*name, value.as_str()));
        endpoints.find(|(_, value)| is_loopback(value))
    }

    /// Returns all variables.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let all = self.endpoints.iter().chain(&self.settings);
        all.map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }
}

/// Returns whether `endpoint`, a URL or `HOST:PORT`, is a loopback address.
pub(crate) fn is_loopback(endpoint: &str) -> bool {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|it| it.is_loopback() || it.is_unspecified())
}
