//! How `hype-run` reaches the stage from inside a container.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use hype_stage::Stage;

use crate::error::{Error, Result};

/// Where a stage that is a directory stands in a container. No guest sees it.
pub(crate) const STAGE: &str = "/run/hype/stage";

/// The network that a container is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// None at all.
    Nothing,
    /// Docker's own, with a way out.
    Bridge,
    /// That of the daemon's machine.
    Host,
}

/// How a stage is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The stage's URL there.
    pub(crate) url: String,
    /// The directory of this machine that is to be shown at [`STAGE`].
    pub(crate) directory: Option<PathBuf>,
    pub(crate) network: Network,
    /// Variables that say where the provider's service is; none of them is a key.
    pub(crate) variables: BTreeMap<String, String>,
}

/// What is to be known of a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Whether it can show directories of this machine.
    pub(crate) is_here: bool,
    /// Whether it runs without root, in a network of its own.
    pub(crate) is_rootless: bool,
}

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

/// How the stage at `url` is reached from a container at `place`, where this process has these
/// variables.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when it can't be.
pub(crate) fn reach(
    url: &str,
    place: Place,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Reach> {
    if let Some(directory) = Stage::directory_of(url)? {
        if !place.is_here {
            return Err(Error::input(format!(
                "a Docker daemon on another machine cannot read the stage {url}"
            ))
            .hint(
                "stage in a bucket: HYPE_STAGING=gs://bucket/prefix, or Submitter::docker_with",
            ));
        }
        let (url, variables) = (format!("file://{STAGE}"), BTreeMap::new());
        return Ok(Reach { url, directory: Some(directory), network: Network::Nothing, variables });
    }
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let Some(provider) = PROVIDERS.iter().find(|provider| provider.schemes.contains(&scheme))
    else {
        return Err(Error::input(format!("a container cannot reach the stage {url}"))
            .hint("it can reach file://, gs://, s3:// and az://"));
    };
    let set = |name: &&str| {
        let value = variable(name).filter(|value| !value.is_empty())?;
        Some((name.to_string(), value))
    };
    let mut variables: BTreeMap<_, _> = provider.endpoints.iter().filter_map(set).collect();
    if variable("AZURE_STORAGE_USE_EMULATOR").is_some_and(|it| it == "true" || it == "1")
        && provider.endpoints.contains(&EMULATOR)
    {
        variables.entry(EMULATOR.to_owned()).or_insert_with(|| AZURITE.to_owned());
    }
    let loopback = variables.iter().find(|(_, value)| is_loopback(value));
    let network = match loopback {
        Some((name, value)) if !place.is_here || place.is_rootless => {
            let whose = if place.is_here { "without root" } else { "on another machine" };
            return Err(Error::input(format!(
                "{name} is {value}, which containers of a Docker daemon {whose} cannot reach"
            ))
            .hint("let the server listen at an address that they reach, and name that"));
        }
        Some(_) => Network::Host,
        None => Network::Bridge,
    };
    variables.extend(provider.settings.iter().filter_map(set));
    Ok(Reach { url: url.to_owned(), directory: None, network, variables })
}

/// Whether `endpoint`, a URL or a host with a port, is this very machine.
fn is_loopback(endpoint: &str) -> bool {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|it| it.is_loopback() || it.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place { is_here: true, is_rootless: false };
    const ROOTLESS: Place = Place { is_here: true, is_rootless: true };
    const FAR: Place = Place { is_here: false, is_rootless: false };

    fn reached(
        url: &str,
        place: Place,
        variables: &[(&str, &str)],
    ) -> std::result::Result<Reach, String> {
        let variable = |name: &str| {
            let mut all = variables.iter();
            all.find(|(other, _)| *other == name).map(|(_, value)| value.to_string())
        };
        reach(url, place, variable).map_err(|error| error.report())
    }

    fn names(reach: &Reach) -> Vec<&str> {
        reach.variables.keys().map(String::as_str).collect()
    }

    #[test]
    fn a_directory_is_shown_without_any_network() {
        let emulator = [("STORAGE_EMULATOR_HOST", "127.0.0.1:1")];
        for place in [HERE, ROOTLESS] {
            let reach = reached("file:///var/my%20stage", place, &emulator).unwrap();
            assert_eq!(reach.directory, Some("/var/my stage".into()));
            assert_eq!(
                (reach.url.as_str(), reach.network),
                ("file:///run/hype/stage", Network::Nothing)
            );
            assert!(reach.variables.is_empty());
        }
        let error = reached("file:///var/stage", FAR, &[]).unwrap_err();
        assert!(error.contains("cannot read the stage file:///var/stage"), "{error}");
        assert!(error.contains("Hint: stage in a bucket"), "{error}");
    }

    #[test]
    fn a_bucket_is_reached_over_the_network() {
        for place in [HERE, ROOTLESS, FAR] {
            let key = [("AWS_SECRET_ACCESS_KEY", "hush"), ("AWS_REGION", "eu-north-1")];
            let reach = reached("s3://bucket/prefix", place, &key).unwrap();
            assert_eq!(
                (reach.url.as_str(), reach.network),
                ("s3://bucket/prefix", Network::Bridge)
            );
            assert_eq!((names(&reach), &reach.directory), (vec!["AWS_REGION"], &None));
        }
        let far = [("AZURE_STORAGE_ENDPOINT", "https://blobs.example.com:8/a")];
        let reach = reached("az://container", FAR, &far).unwrap();
        assert_eq!(
            (names(&reach), reach.network),
            (vec!["AZURE_STORAGE_ENDPOINT"], Network::Bridge)
        );
    }

    #[test]
    fn a_server_on_this_machine_is_reached_by_its_network_or_not_at_all() {
        for (url, name, value) in [
            ("gs://b", "STORAGE_EMULATOR_HOST", "127.0.0.1:4443"),
            ("gs://b", "STORAGE_EMULATOR_HOST", "http://localhost:4443"),
            ("s3://b", "AWS_ENDPOINT_URL", "http://[::1]:9000/"),
            ("az://c", "AZURITE_BLOB_STORAGE_URL", "http://127.0.0.1:10000/account"),
        ] {
            let reach = reached(url, HERE, &[(name, value)]).unwrap();
            assert_eq!((names(&reach), reach.network), (vec![name], Network::Host));
            for (place, whose) in [(ROOTLESS, "without root"), (FAR, "on another machine")] {
                let error = reached(url, place, &[(name, value)]).unwrap_err();
                let told =
                    format!("{name} is {value}, which containers of a Docker daemon {whose}");
                assert!(error.starts_with(&told), "{error}");
            }
        }
    }

    #[test]
    fn azures_emulator_is_on_this_machine_unless_it_is_said() {
        let variables = [("AZURE_STORAGE_USE_EMULATOR", "true")];
        let reach = reached("az://c", HERE, &variables).unwrap();
        assert_eq!(reach.network, Network::Host);
        assert_eq!(reach.variables["AZURITE_BLOB_STORAGE_URL"], "http://127.0.0.1:10000");
        assert_eq!(reached("gs://b", HERE, &variables).unwrap().network, Network::Bridge);
    }

    #[test]
    fn a_stage_in_this_process_is_refused() {
        let error = reached("memory://name/prefix", HERE, &[]).unwrap_err();
        assert!(error.starts_with("a container cannot reach the stage memory://name"), "{error}");
    }
}
