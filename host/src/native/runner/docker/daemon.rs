//! The connection to a daemon, and the daemon's own information.

use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as DockerError;
use tokio::sync::OnceCell;

use super::endpoint::Endpoint;
use super::retry::{Retry, response_timeout};
use super::stage_access::DaemonTraits;
use crate::configuration::Key;
use crate::error::{Error, ErrorKind, Result};

/// A daemon, connected on first use.
#[derive(Debug)]
pub(crate) struct Daemon {
    endpoint: Endpoint,
    reconnect_timeout: Duration,
    connected: OnceCell<ConnectedDaemon>,
}

/// A daemon that has responded.
#[derive(Debug, Clone)]
pub(crate) struct ConnectedDaemon {
    pub(crate) docker: Docker,
    /// The daemon's address, for messages.
    pub(crate) address: String,
    pub(crate) traits: DaemonTraits,
    /// The name of its machine, for messages.
    pub(crate) machine: String,
    /// The processor of its machine, as `uname` names it.
    pub(crate) architecture: String,
    /// The number of its machine's processors; 0 if it is unknown.
    pub(crate) processors: usize,
    /// The retry policy of requests to it.
    pub(crate) retry: Retry,
}

impl Daemon {
    /// Creates an unconnected daemon. Once connected, requests are retried for `reconnect_timeout` while it is
    /// unreachable.
    pub(crate) fn new(endpoint: Endpoint, reconnect_timeout: Duration) -> Self {
        Self { endpoint, reconnect_timeout, connected: OnceCell::new() }
    }

    pub(crate) fn set_reconnect_timeout(&mut self, reconnect_timeout: Duration) {
        self.reconnect_timeout = reconnect_timeout;
    }

    /// Connects on the first call, without retries: no run exists yet that would be lost.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) if the daemon is unreachable.
    pub(crate) async fn connect(&self) -> Result<&ConnectedDaemon> {
        self.connected.get_or_try_init(|| self.query_info()).await
    }

    /// Connects with retries while the daemon is unreachable, for callers that must not give up an existing run.
    pub(crate) async fn connect_with_retries(&self) -> Result<&ConnectedDaemon> {
        let retry = Retry::new(&self.endpoint.to_string(), self.reconnect_timeout);
        let is_unreachable = |error: &Error| error.kind() == ErrorKind::Runner;
        retry.run_while(is_unreachable, || self.connect()).await
    }

    async fn query_info(&self) -> Result<ConnectedDaemon> {
        let unreachable_error = |error| connect_error(&self.endpoint, error);
        let docker = match &self.endpoint {
            Endpoint::Unix(path) => connect_to_socket(path),
            Endpoint::Tcp(address) => {
                Docker::connect_with_http(address, 0, bollard::API_DEFAULT_VERSION)
            }
        };
        let docker = docker
            .map_err(unreachable_error)?
            .with_timeout(response_timeout(self.reconnect_timeout));
        let info = docker.info().await.map_err(unreachable_error)?;
        if let Some(system) = info.os_type.filter(|system| system != "linux") {
            return Err(Error::input(format!(
                "the Docker daemon at {} runs containers of {system}, and hype's are of Linux",
                self.endpoint
            )));
        }
        let options = info.security_options.unwrap_or_default();
        Ok(ConnectedDaemon {
            docker,
            address: self.endpoint.to_string(),
            traits: DaemonTraits {
                is_local: self.endpoint.is_local(),
                is_rootless: options.iter().any(|option| option == "name=rootless"),
            },
            machine: machine_name(&info.name.unwrap_or_default()),
            architecture: info.architecture.unwrap_or_default(),
            processors: info.ncpu.and_then(|number| number.try_into().ok()).unwrap_or_default(),
            retry: Retry::new(&self.endpoint.to_string(), self.reconnect_timeout),
        })
    }
}

#[cfg(unix)]
fn connect_to_socket(path: &Path) -> std::result::Result<Docker, DockerError> {
    Docker::connect_with_unix(&path.to_string_lossy(), 0, bollard::API_DEFAULT_VERSION)
}

#[cfg(not(unix))]
fn connect_to_socket(_: &Path) -> std::result::Result<Docker, DockerError> {
    let message = "hype connects to Unix sockets on Linux and macOS only; select a daemon on TCP with \
                   DOCKER_HOST=tcp://localhost:2375";
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, message).into())
}

/// Returns the name of the daemon's machine as the location of a run may have it: as a host name.
fn machine_name(name: &str) -> String {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    name.chars().take(253).map(|c| if is_fine(c) { c } else { '-' }).collect()
}

fn connect_error(endpoint: &Endpoint, error: DockerError) -> Error {
    let is_forbidden = is_caused_by(&error, std::io::ErrorKind::PermissionDenied);
    let error = Error::runner(format!("cannot reach the Docker daemon at {endpoint}"), error);
    error.concerning(Key::Submitter).hint(if is_forbidden {
        "join the group that owns the socket, usually `docker`"
    } else {
        "check that it is running, or select another one by DOCKER_HOST or `docker context use`"
    })
}

fn is_caused_by(error: &DockerError, kind: std::io::ErrorKind) -> bool {
    let first: Option<&(dyn std::error::Error + 'static)> = Some(error);
    std::iter::successors(first, |error| error.source())
        .any(|error| error.downcast_ref::<std::io::Error>().is_some_and(|it| it.kind() == kind))
}

/// Converts a failed request to an error with `message` and the daemon's text.
pub(crate) fn request_error(message: impl Into<String>, error: DockerError) -> Error {
    match error {
        DockerError::DockerResponseServerError { message: text, .. }
        | DockerError::DockerStreamError { error: text } => Error::runner(message, text),
        error => Error::runner(message, error),
    }
}

/// Returns the HTTP status of the response, if there was one.
pub(crate) fn status(error: &DockerError) -> Option<u16> {
    match error {
        DockerError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Converts a 404 response to `None`.
pub(crate) fn none_if_missing<T>(
    result: std::result::Result<T, DockerError>,
) -> std::result::Result<Option<T>, DockerError> {
    match result {
        Ok(resource) => Ok(Some(resource)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}
