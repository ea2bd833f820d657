//! The variables by which a provider's clients find its service, for `hype-run` elsewhere to find the
//! same.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Variables of a provider, by which users say where its service is.
struct Provider {
    schemes: &'static [&'static str],
    /// Those whose values are endpoints.
    endpoints: &'static [&'static str],
    /// Others without which the endpoint is of no use.
    settings: &'static [&'static str],
}

const PROVIDERS: &[Provider] = &[
    Provider {
        schemes: &["gs"],
        endpoints: &["STORAGE_EMULATOR_HOST", "GOOGLE_BASE_URL"],
        settings: &["GOOGLE_SKIP_SIGNATURE"],
    },
    Provider {
        schemes: &["s3"],
        endpoints: &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"],
        settings: &[
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_SKIP_SIGNATURE",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
        ],
    },
    Provider {
        schemes: &["az", "abfs", "abfss"],
        endpoints: &["AZURITE_BLOB_STORAGE_URL", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"],
        settings: &[
            "AZURE_STORAGE_ACCOUNT_NAME",
            "AZURE_STORAGE_USE_EMULATOR",
            "AZURE_SKIP_SIGNATURE",
        ],
    },
];

/// Where Azure's emulator is, and where it is unless that is said.
const EMULATOR: &str = "AZURITE_BLOB_STORAGE_URL";
const AZURITE: &str = "http://127.0.0.1:10000";

/// What this process says of where a stage's provider is; none of it is a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoints {
    endpoints: BTreeMap<String, String>,
    settings: BTreeMap<String, String>,
}

impl Endpoints {
    /// That for the stage at `url`, where this process has these variables; none where `url` is no
    /// provider's.
    pub(crate) fn of(url: &str, variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let provider = PROVIDERS.iter().find(|provider| provider.schemes.contains(&scheme))?;
        let set = |name: &&str| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            Some((name.to_string(), value))
        };
        let mut endpoints: BTreeMap<_, _> = provider.endpoints.iter().filter_map(set).collect();
        if variable("AZURE_STORAGE_USE_EMULATOR").is_some_and(|it| it == "true" || it == "1")
            && provider.endpoints.contains(&EMULATOR)
        {
            endpoints.entry(EMULATOR.to_owned()).or_insert_with(|| AZURITE.to_owned());
        }
        Some(Self { endpoints, settings: provider.settings.iter().filter_map(set).collect() })
    }

    /// The variable that names this very machine, and its value.
    pub(crate) fn on_loopback(&self) -> Option<(&String, &String)> {
        self.endpoints.iter().find(|(_, value)| is_loopback(value))
    }

    /// All of them.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        self.endpoints.iter().chain(&self.settings).map(|(n, v)| (n.clone(), v.clone())).collect()
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
