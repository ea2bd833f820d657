//! How `hype-run` reaches the stage from inside a container.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hype_stage::{Provider, Stage};

use crate::error::{Error, Result};
use crate::runner::endpoints::Endpoints;

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
    let Some(endpoints) = Endpoints::of(url, variable) else {
        return Err(Error::input(format!("a container cannot reach the stage {url}"))
            .hint(format!("it can reach file://{}", providers())));
    };
    let loopback = endpoints.on_loopback();
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
    let variables = endpoints.variables();
    Ok(Reach { url: url.to_owned(), directory: None, network, variables })
}

/// The usual schemes of all providers, as the end of a list.
fn providers() -> String {
    let schemes = Provider::all().filter_map(|provider| provider.schemes().first());
    schemes.map(|scheme| format!(", {scheme}://")).collect()
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
        assert!(error.contains("it can reach file://, gs://, s3://, az://"), "{error}");
    }
}
