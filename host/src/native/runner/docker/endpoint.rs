//! The address of the Docker daemon, found in the same way as by the `docker` command.
//!
//! In this order: `DOCKER_HOST`; the context that `DOCKER_CONTEXT` names; the context that
//! `docker context use` chose; the socket of the system's daemon. A rootless daemon is found by the context or
//! variable that its setup tool prints.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// The socket of the system's daemon.
const DEFAULT_ENDPOINT: &str = "unix:///var/run/docker.sock";

/// The address of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket of this machine. The daemon is assumed to be on this machine, too.
    Unix(PathBuf),
    /// A host and a port: `HOST:PORT`.
    Tcp(String),
}

impl Endpoint {
    /// Returns whether the daemon is on this machine, so that containers can mount its directories.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// The relevant part of the `docker` command's `config.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    current_context: String,
}

/// A context, as in its `meta.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Context {
    name: String,
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Option<DockerEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEndpoint {
    host: String,
}

/// Finds the daemon's endpoint from environment variables and the configuration in the home directory.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if they name a missing context or an unsupported kind of address.
pub(crate) fn find(
    variable: impl Fn(&str) -> Option<String>,
    home: Option<&Path>,
) -> Result<Endpoint> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    if let Some(host) = variable("DOCKER_HOST") {
        let is_encrypted = variable("DOCKER_TLS_VERIFY").is_some();
        return parse(&host, "DOCKER_HOST", is_encrypted);
    }
    let directory = variable("DOCKER_CONFIG").map(PathBuf::from);
    let directory = directory.or_else(|| home.map(|home| home.join(".docker")));
    let (name, chosen_by) = match (variable("DOCKER_CONTEXT"), &directory) {
        (Some(name), _) => (name, "DOCKER_CONTEXT".to_owned()),
        (None, Some(directory)) => {
            let path = directory.join("config.json");
            let config: Option<Config> = read(&path)?;
            (
                config.map(|config| config.current_context).unwrap_or_default(),
                path.display().to_string(),
            )
        }
        (None, None) => (String::new(), String::new()),
    };
    match (name.as_str(), directory) {
        ("" | "default", _) => parse(DEFAULT_ENDPOINT, "the default", false),
        (name, Some(directory)) => endpoint_of_context(&directory, name, &chosen_by),
        (name, None) => Err(missing_context(name, &chosen_by)),
    }
}

/// Parses `host`, written as in `DOCKER_HOST`.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if it is an unsupported kind of address.
pub(crate) fn at(host: &str) -> Result<Endpoint> {
    parse(host, "the daemon's address", false)
}

fn endpoint_of_context(directory: &Path, name: &str, chosen_by: &str) -> Result<Endpoint> {
    let contexts = directory.join("contexts");
    let Ok(entries) = std::fs::read_dir(contexts.join("meta")) else {
        return Err(missing_context(name, chosen_by));
    };
    for entry in entries.flatten() {
        let Some(context) = read::<Context>(&entry.path().join("meta.json"))? else { continue };
        let Some(docker) = context.endpoints.docker.filter(|_| context.name == name) else {
            continue;
        };
        // The certificates of a context are in a directory with the same name.
        let is_encrypted = contexts.join("tls").join(entry.file_name()).join("docker").is_dir();
        return parse(&docker.host, &format!("the Docker context `{name}`"), is_encrypted);
    }
    Err(missing_context(name, chosen_by))
}

fn missing_context(name: &str, chosen_by: &str) -> Error {
    Error::input(format!("there is no Docker context `{name}`, which {chosen_by} chooses"))
        .hint("docker context ls lists the contexts")
}

/// Parses the JSON file at `path`; `None` if it doesn't exist.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::input(format!("cannot use {}", path.display())).because(error)
    };
    match std::fs::read(path) {
        Ok(text) => {
            serde_json::from_slice(&text).map(Some).map_err(|error| unreadable(error.into()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.into())),
    }
}

/// Parses `host`, which `source` names in messages.
fn parse(host: &str, source: &str, is_encrypted: bool) -> Result<Endpoint> {
    let invalid = |problem: &str| Error::input(format!("{source} is {host}, and {problem}"));
    let (scheme, rest) = host.split_once("://").unwrap_or(("tcp", host));
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Endpoint::Unix(PathBuf::from(rest))),
        "unix" => Err(invalid("that is not an absolute path").hint("write unix:///var/run/docker.sock")),
        "tcp" | "http" if is_encrypted => Err(invalid("hype doesn't support TLS to Docker daemons")
            .hint("forward its socket: ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST, and set DOCKER_HOST=unix:///tmp/docker.sock")),
        "tcp" | "http" if !rest.is_empty() => {
            let address = rest.trim_end_matches('/');
            let port = if has_port(address) { "" } else { ":2375" };
            Ok(Endpoint::Tcp(format!("{address}{port}")))
        }
        "ssh" => Err(invalid("hype doesn't support Docker daemons over ssh").hint(
            "forward its socket: ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST, and set \
             DOCKER_HOST=unix:///tmp/docker.sock",
        )),
        _ => Err(invalid("hype supports unix:// and tcp://")),
    }
}

fn has_port(address: &str) -> bool {
    let name = address.rsplit_once(']').map_or(address, |(_, rest)| rest);
    name.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Creates a home directory with the contexts `rootless`, `far` and `over-ssh`, of which `current` is selected.
    fn home(current: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let docker = home.path().join(".docker");
        for (name, host, id) in [
            ("far", "tcp://far:2376", "0a"),
            ("rootless", "unix:///run/user/1000/docker.sock", "0b"),
            ("over-ssh", "ssh://me@far", "0c"),
        ] {
            let meta = docker.join("contexts/meta").join(id);
            fs::create_dir_all(&meta).unwrap();
            let text = format!(
                r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":false}}}}}}"#
            );
            fs::write(meta.join("meta.json"), text).unwrap();
        }
        fs::create_dir_all(docker.join("contexts/tls/0a/docker")).unwrap();
        let config = format!(r#"{{"auths":{{}},"currentContext":"{current}"}}"#);
        fs::write(docker.join("config.json"), config).unwrap();
        home
    }

    fn find_endpoint(
        variables: &[(&str, &str)],
        home: Option<&Path>,
    ) -> std::result::Result<String, String> {
        let variable = |name: &str| {
            let mut all = variables.iter();
            all.find(|(other, _)| *other == name).map(|(_, value)| value.to_string())
        };
        find(variable, home).map(|it| it.to_string()).map_err(|error| error.report())
    }

    #[test]
    fn variables_override_context_and_context_overrides_default() {
        let chosen = home("rootless");
        let chosen = Some(chosen.path());
        let system = Ok(DEFAULT_ENDPOINT.to_owned());
        let rootless = Ok("unix:///run/user/1000/docker.sock".to_owned());
        for (variables, home, expected) in [
            (&[][..], None, system.clone()),
            (&[], chosen, rootless.clone()),
            (&[("DOCKER_CONTEXT", "default")], chosen, system.clone()),
            (&[("DOCKER_CONTEXT", "")], chosen, rootless),
            (&[("DOCKER_HOST", "unix:///a b")], chosen, Ok("unix:///a b".into())),
            (
                &[("DOCKER_HOST", "tcp://h:1"), ("DOCKER_CONTEXT", "far")],
                chosen,
                Ok("tcp://h:1".into()),
            ),
            (&[("DOCKER_HOST", "tcp://[::1]/")], None, Ok("tcp://[::1]:2375".into())),
            (&[("DOCKER_CONFIG", "/nowhere")], chosen, system),
        ] {
            assert_eq!(find_endpoint(variables, home), expected, "{variables:?}");
        }
        let elsewhere = home("");
        let config = elsewhere.path().join(".docker").display().to_string();
        let variables = [("DOCKER_CONFIG", config.as_str()), ("DOCKER_CONTEXT", "rootless")];
        assert_eq!(find_endpoint(&variables, None).unwrap(), "unix:///run/user/1000/docker.sock");
    }

    #[test]
    fn unsupported_address_is_rejected_with_its_source() {
        let far = home("far");
        let far = Some(far.path());
        let tls = [("DOCKER_HOST", "tcp://h"), ("DOCKER_TLS_VERIFY", "1")];
        for (variables, home, expected) in [
            (&tls[..], None, "DOCKER_HOST is tcp://h, and hype doesn't support TLS"),
            (&[], far, "the Docker context `far` is tcp://far:2376, and hype doesn't support TLS"),
            (&[("DOCKER_CONTEXT", "over-ssh")], far, "doesn't support Docker daemons over ssh"),
            (
                &[("DOCKER_HOST", "npipe:////./pipe/docker")],
                None,
                "hype supports unix:// and tcp://",
            ),
            (&[("DOCKER_HOST", "unix://a")], None, "that is not an absolute path"),
            (&[("DOCKER_CONTEXT", "gone")], far, "no Docker context `gone`, which DOCKER_CONTEXT"),
            (&[("DOCKER_CONTEXT", "gone")], None, "there is no Docker context `gone`"),
        ] {
            let error = find_endpoint(variables, home).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn malformed_configuration_is_reported_with_its_path() {
        let home = home("");
        let path = home.path().join(".docker/config.json");
        fs::write(&path, "{").unwrap();
        let error = find_endpoint(&[], Some(home.path())).unwrap_err();
        assert!(error.starts_with(&format!("cannot use {}", path.display())), "{error}");
    }
}
