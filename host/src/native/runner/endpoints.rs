//! The variables by which a provider's clients find its service, for `hype-run` elsewhere to find the
//! same.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hype_stage::Provider;

/// What this process says of where a stage's provider is; none of it is a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoints {
    endpoints: BTreeMap<&'static str, String>,
    settings: BTreeMap<&'static str, String>,
}

impl Endpoints {
    /// That for the stage at `url`, where this process has these variables; none where `url` is no
    /// provider's.
    pub(crate) fn of(url: &str, variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let provider = Provider::of(url)?;
        let endpoints = provider.endpoints(&variable);
        Some(Self { endpoints, settings: provider.settings(variable) })
    }

    /// The variable that names this very machine, and its value.
    pub(crate) fn on_loopback(&self) -> Option<(&'static str, &str)> {
        let mut endpoints = self.endpoints.iter().map(|(name, value)| (*name, value.as_str()));
        endpoints.find(|(_, value)| is_loopback(value))
    }

    /// All of them.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let all = self.endpoints.iter().chain(&self.settings);
        all.map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }
}

/// Whether `endpoint`, a URL or a host with a port, is this very machine.
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
