//! Where the Docker daemon is: found as the `docker` command finds it.
//!
//! In this order: `DOCKER_HOST`; the context that `DOCKER_CONTEXT` names; the context that
//! `docker context use` chose; the socket where the system's daemon listens. A daemon of a user, without
//! root, is found by the context or the variable that its set-up tool tells to set.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

const SYSTEM: &str = "unix:///var/run/docker.sock";

/// Where a daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket of this machine; so we take the daemon for one of this machine, too.
    Unix(PathBuf),
    /// A host and a port.
    Tcp(String),
}

impl Endpoint {
    /// Whether directories of this machine can be shown to containers there.
    pub(crate) fn is_here(&self) -> bool {
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

/// What the `docker` command keeps in its `config.json`, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    current_context: String,
}

/// A context, as it stands in its `meta.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Context {
    name: String,
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Option<OfDocker>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfDocker {
    host: String,
}

/// The daemon's endpoint by these variables, for a user with this home directory.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when they name a context that isn't there, or a way to a daemon
/// that hype doesn't know.
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
        ("" | "default", _) => parse(SYSTEM, "the default", false),
        (name, Some(directory)) => of_context(&directory, name, &chosen_by),
        (name, None) => Err(no_context(name, &chosen_by)),
    }
}

/// The daemon at `host`, written as in `DOCKER_HOST`.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when that is a way to a daemon that hype doesn't know.
pub(crate) fn at(host: &str) -> Result<Endpoint> {
    parse(host, "the daemon's address", false)
}

fn of_context(directory: &Path, name: &str, chosen_by: &str) -> Result<Endpoint> {
    let contexts = directory.join("contexts");
    let Ok(entries) = std::fs::read_dir(contexts.join("meta")) else {
        return Err(no_context(name, chosen_by));
    };
    for entry in entries.flatten() {
        let Some(context) = read::<Context>(&entry.path().join("meta.json"))? else { continue };
        let Some(docker) = context.endpoints.docker.filter(|_| context.name == name) else {
            continue;
        };
        // A context with certificates has them in a directory of the same name.
        let is_encrypted = contexts.join("tls").join(entry.file_name()).join("docker").is_dir();
        return parse(&docker.host, &format!("the Docker context `{name}`"), is_encrypted);
    }
    Err(no_context(name, chosen_by))
}

fn no_context(name: &str, chosen_by: &str) -> Error {
    Error::input(format!("there is no Docker context `{name}`, which {chosen_by} chooses"))
        .hint("docker context ls shows those that there are")
}

/// What stands in the file at `path`; nothing if it isn't there.
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

/// The endpoint called `host`, of which `whence` tells.
fn parse(host: &str, whence: &str, is_encrypted: bool) -> Result<Endpoint> {
    let refused = |problem: &str| Error::input(format!("{whence} is {host}, and {problem}"));
    let (scheme, rest) = host.split_once("://").unwrap_or(("tcp", host));
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Endpoint::Unix(PathBuf::from(rest))),
        "unix" => Err(refused("that is no absolute path").hint("write unix:///var/run/docker.sock")),
        "tcp" | "http" if is_encrypted => Err(refused("hype speaks no TLS to Docker daemons")
            .hint("forward its socket: ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST, and set DOCKER_HOST=unix:///tmp/docker.sock")),
        "tcp" | "http" if !rest.is_empty() => {
            let address = rest.trim_end_matches('/');
            let port = if has_port(address) { "" } else { ":2375" };
            Ok(Endpoint::Tcp(format!("{address}{port}")))
        }
        "ssh" => Err(refused("hype doesn't speak to Docker daemons by ssh").hint(
            "forward its socket: ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST, and set \
             DOCKER_HOST=unix:///tmp/docker.sock",
        )),
        _ => Err(refused("hype knows unix:// and tcp://")),
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

    /// A home directory with the contexts `rootless` and `far`, of which `current` is chosen.
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

    fn found(
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
    fn variables_come_before_the_context_and_that_before_the_system() {
        let chosen = home("rootless");
        let chosen = Some(chosen.path());
        let system = Ok(SYSTEM.to_owned());
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
            assert_eq!(found(variables, home), expected, "{variables:?}");
        }
        let elsewhere = home("");
        let config = elsewhere.path().join(".docker").display().to_string();
        let variables = [("DOCKER_CONFIG", config.as_str()), ("DOCKER_CONTEXT", "rootless")];
        assert_eq!(found(&variables, None).unwrap(), "unix:///run/user/1000/docker.sock");
    }

    #[test]
    fn what_hype_does_not_speak_is_refused_by_name() {
        let far = home("far");
        let far = Some(far.path());
        let tls = [("DOCKER_HOST", "tcp://h"), ("DOCKER_TLS_VERIFY", "1")];
        for (variables, home, told) in [
            (&tls[..], None, "DOCKER_HOST is tcp://h, and hype speaks no TLS"),
            (&[], far, "the Docker context `far` is tcp://far:2376, and hype speaks no TLS"),
            (&[("DOCKER_CONTEXT", "over-ssh")], far, "doesn't speak to Docker daemons by ssh"),
            (&[("DOCKER_HOST", "npipe:////./pipe/docker")], None, "hype knows unix:// and tcp://"),
            (&[("DOCKER_HOST", "unix://a")], None, "that is no absolute path"),
            (&[("DOCKER_CONTEXT", "gone")], far, "no Docker context `gone`, which DOCKER_CONTEXT"),
            (&[("DOCKER_CONTEXT", "gone")], None, "there is no Docker context `gone`"),
        ] {
            let error = found(variables, home).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_broken_configuration_is_named() {
        let home = home("");
        let path = home.path().join(".docker/config.json");
        fs::write(&path, "{").unwrap();
        let error = found(&[], Some(home.path())).unwrap_err();
        assert!(error.starts_with(&format!("cannot use {}", path.display())), "{error}");
    }
}
