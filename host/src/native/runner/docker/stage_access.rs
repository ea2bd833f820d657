//! The access of `hype-run` to the stage from inside a container.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hype_stage::{Provider, Stage};

use crate::configuration::Key;
use crate::error::{Error, Result};
use crate::runner::endpoints::Endpoints;

/// The path of a directory stage in a container, which holds mounts of parts of it. The guest can't see it.
pub(crate) const STAGE_DIR: &str = "/run/hype/stage";

/// The network of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// No network.
    Nothing,
    /// Docker's bridge network, with Internet access.
    Bridge,
    /// The network of the daemon's machine.
    Host,
}

/// The access to a stage from inside a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageAccess {
    /// The stage's URL inside the container.
    pub(crate) url: String,
    /// The stage's directory on this machine, of which the container mounts parts below [`STAGE_DIR`].
    pub(crate) directory: Option<PathBuf>,
    pub(crate) network: Network,
    /// The variables that lead to the provider's service, without credentials.
    pub(crate) variables: BTreeMap<String, String>,
}

/// The properties of a daemon that decide about access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DaemonTraits {
    /// Whether the daemon is on this machine, so that it can mount its directories.
    pub(crate) is_local: bool,
    /// Whether the daemon runs without root, in its own network namespace.
    pub(crate) is_rootless: bool,
}

/// Returns the access to the stage at `url` from a container of a daemon with these `traits`. `variable` looks up
/// environment variables of this process.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if the container can't reach the stage.
pub(crate) fn stage_access(
    url: &str,
    traits: DaemonTraits,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<StageAccess> {
    if let Some(directory) = Stage::directory_of(url)? {
        if !traits.is_local {
            return Err(Error::input(format!(
                "a Docker daemon on another machine cannot read the stage {url}"
            ))
            .hint("stage in a bucket: HYPE_STAGING=gs://bucket/prefix, or Submitter::docker_with")
            .concerning(Key::Staging));
        }
        let (url, variables) = (format!("file://{STAGE_DIR}"), BTreeMap::new());
        return Ok(StageAccess {
            url,
            directory: Some(directory),
            network: Network::Nothing,
            variables,
        });
    }
    let Some(endpoints) = Endpoints::of(url, variable) else {
        return Err(Error::input(format!("a container cannot reach the stage {url}"))
            .hint(format!("it can reach file://{}", providers()))
            .concerning(Key::Staging));
    };
    let loopback = endpoints.on_loopback();
    let network = match loopback {
        Some((name, value)) if !traits.is_local || traits.is_rootless => {
            let which = if traits.is_local { "without root" } else { "on another machine" };
            return Err(Error::input(format!(
                "{name} is {value}, which containers of a Docker daemon {which} cannot reach"
            ))
            .hint("let the server listen at an address that they reach, and name that"));
        }
        Some(_) => Network::Host,
        None => Network::Bridge,
    };
    let variables = endpoints.variables();
    Ok(StageAccess { url: url.to_owned(), directory: None, network, variables })
}

/// Returns the first scheme of each provider, as the end of a list.
fn providers() -> String {
    let schemes = Provider::all().filter_map(|provider| provider.schemes().first());
    schemes.map(|scheme| format!(", {scheme}://")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: DaemonTraits = DaemonTraits { is_local: true, is_rootless: false };
    const ROOTLESS: DaemonTraits = DaemonTraits { is_local: true, is_rootless: true };
    const REMOTE: DaemonTraits = DaemonTraits { is_local: false, is_rootless: false };

    fn access_of(
        url: &str,
        traits: DaemonTraits,
        variables: &[(&str, &str)],
    ) -> std::result::Result<StageAccess, String> {
        let variable = |name: &str| {
            let mut all = variables.iter();
            all.find(|(other, _)| *other == name).map(|(_, value)| value.to_string())
        };
        stage_access(url, traits, variable).map_err(|error| error.report())
    }

    fn variable_names(access: &StageAccess) -> Vec<&str> {
        access.variables.keys().map(String::as_str).collect()
    }

    #[test]
    fn directory_stage_is_mounted_without_network() {
        let emulator = [("STORAGE_EMULATOR_HOST", "127.0.0.1:1")];
        for traits in [HERE, ROOTLESS] {
            let access = access_of("file:///var/my%20stage", traits, &emulator).unwrap();
            assert_eq!(access.directory, Some("/var/my stage".into()));
            assert_eq!(
                (access.url.as_str(), access.network),
                ("file:///run/hype/stage", Network::Nothing)
            );
            assert!(access.variables.is_empty());
        }
        let error = access_of("file:///var/stage", REMOTE, &[]).unwrap_err();
        assert!(error.contains("cannot read the stage file:///var/stage"), "{error}");
        assert!(error.contains("Hint: stage in a bucket"), "{error}");
    }

    #[test]
    fn bucket_stage_uses_the_bridge_network() {
        for traits in [HERE, ROOTLESS, REMOTE] {
            let key = [("AWS_SECRET_ACCESS_KEY", "hush"), ("AWS_REGION", "eu-north-1")];
            let access = access_of("s3://bucket/prefix", traits, &key).unwrap();
            assert_eq!(
                (access.url.as_str(), access.network),
                ("s3://bucket/prefix", Network::Bridge)
            );
            assert_eq!((variable_names(&access), &access.directory), (vec!["AWS_REGION"], &None));
        }
        let far = [("AZURE_STORAGE_ENDPOINT", "https://blobs.example.com:8/a")];
        let access = access_of("az://container", REMOTE, &far).unwrap();
        assert_eq!(
            (variable_names(&access), access.network),
            (vec!["AZURE_STORAGE_ENDPOINT"], Network::Bridge)
        );
    }

    #[test]
    fn loopback_endpoint_needs_the_host_network() {
        for (url, name, value) in [
            ("gs://b", "STORAGE_EMULATOR_HOST", "127.0.0.1:4443"),
            ("gs://b", "STORAGE_EMULATOR_HOST", "http://localhost:4443"),
            ("s3://b", "AWS_ENDPOINT_URL", "http://[::1]:9000/"),
            ("az://c", "AZURITE_BLOB_STORAGE_URL", "http://127.0.0.1:10000/account"),
        ] {
            let access = access_of(url, HERE, &[(name, value)]).unwrap();
            assert_eq!((variable_names(&access), access.network), (vec![name], Network::Host));
            for (traits, which) in [(ROOTLESS, "without root"), (REMOTE, "on another machine")] {
                let error = access_of(url, traits, &[(name, value)]).unwrap_err();
                let expected =
                    format!("{name} is {value}, which containers of a Docker daemon {which}");
                assert!(error.starts_with(&expected), "{error}");
            }
        }
    }

    #[test]
    fn azure_emulator_defaults_to_loopback() {
        let variables = [("AZURE_STORAGE_USE_EMULATOR", "true")];
        let access = access_of("az://c", HERE, &variables).unwrap();
        assert_eq!(access.network, Network::Host);
        assert_eq!(access.variables["AZURITE_BLOB_STORAGE_URL"], "http://127.0.0.1:10000");
        assert_eq!(access_of("gs://b", HERE, &variables).unwrap().network, Network::Bridge);
    }

    #[test]
    fn memory_stage_is_rejected() {
        let error = access_of("memory://name/prefix", HERE, &[]).unwrap_err();
        assert!(error.starts_with("a container cannot reach the stage memory://name"), "{error}");
        assert!(error.contains("it can reach file://, gs://, s3://, az://"), "{error}");
    }
}
