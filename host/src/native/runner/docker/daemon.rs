//! The connection to a daemon, and what it says of itself.

use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as DockerError;
use tokio::sync::OnceCell;

use super::endpoint::Endpoint;
use super::patience::{Patience, answer};
use super::reach::Place;
use crate::error::{Error, ErrorKind, Result};

/// A daemon that is spoken to once somebody needs it.
#[derive(Debug)]
pub(crate) struct Daemon {
    endpoint: Endpoint,
    patience: Duration,
    reached: OnceCell<Reached>,
}

/// A daemon that has answered.
#[derive(Debug, Clone)]
pub(crate) struct Reached {
    pub(crate) docker: Docker,
    /// Where it listens, for messages.
    pub(crate) address: String,
    pub(crate) place: Place,
    /// The name of its machine, for messages.
    pub(crate) machine: String,
    /// The processor of its machine, as `uname` names it.
    pub(crate) architecture: String,
    /// How it is asked.
    pub(crate) patience: Patience,
}

impl Daemon {
    /// One that may be away for as long as `patience`, once it has answered.
    pub(crate) fn new(endpoint: Endpoint, patience: Duration) -> Self {
        Self { endpoint, patience, reached: OnceCell::new() }
    }

    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The daemon, once it has answered. One that doesn't at the first is told of at once: nothing of ours is there yet
    /// that would be lost.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when it doesn't.
    pub(crate) async fn reach(&self) -> Result<&Reached> {
        self.reached.get_or_try_init(|| self.ask()).await
    }

    /// The same for who must not give up a run that is there: a daemon that is away is waited for.
    pub(crate) async fn reach_patiently(&self) -> Result<&Reached> {
        let patience = Patience::new(&self.endpoint.to_string(), self.patience);
        let is_away = |error: &Error| error.kind() == ErrorKind::Runner;
        patience.persist_while(is_away, || self.reach()).await
    }

    async fn ask(&self) -> Result<Reached> {
        let away = |error| unreachable(&self.endpoint, error);
        let docker = match &self.endpoint {
            Endpoint::Unix(path) => {
                Docker::connect_with_unix(&path.to_string_lossy(), 0, bollard::API_DEFAULT_VERSION)
            }
            Endpoint::Tcp(address) => {
                Docker::connect_with_http(address, 0, bollard::API_DEFAULT_VERSION)
            }
        };
        let docker = docker.map_err(away)?.with_timeout(answer(self.patience));
        let info = docker.info().await.map_err(away)?;
        if let Some(system) = info.os_type.filter(|system| system != "linux") {
            return Err(Error::input(format!(
                "the Docker daemon at {} runs containers of {system}, and hype's are of Linux",
                self.endpoint
            )));
        }
        let options = info.security_options.unwrap_or_default();
        Ok(Reached {
            docker,
            address: self.endpoint.to_string(),
            place: Place {
                is_here: self.endpoint.is_here(),
                is_rootless: options.iter().any(|option| option == "name=rootless"),
            },
            // A colon would end it in the place of a run.
            machine: info.name.unwrap_or_default().replace(':', "-"),
            architecture: info.architecture.unwrap_or_default(),
            patience: Patience::new(&self.endpoint.to_string(), self.patience),
        })
    }
}

fn unreachable(endpoint: &Endpoint, error: DockerError) -> Error {
    let is_forbidden = is_caused_by(&error, std::io::ErrorKind::PermissionDenied);
    let error = Error::runner(format!("cannot reach the Docker daemon at {endpoint}"), error);
    error.hint(if is_forbidden {
        "ask for membership of the group that owns the socket, mostly `docker`"
    } else {
        "is it running? DOCKER_HOST or `docker context use` say where another one is"
    })
}

fn is_caused_by(error: &DockerError, kind: std::io::ErrorKind) -> bool {
    let first: Option<&(dyn std::error::Error + 'static)> = Some(error);
    std::iter::successors(first, |error| error.source())
        .any(|error| error.downcast_ref::<std::io::Error>().is_some_and(|it| it.kind() == kind))
}

/// What the daemon answered that isn't what was asked for, as an error of `message`.
pub(crate) fn refused(message: impl Into<String>, error: DockerError) -> Error {
    match error {
        DockerError::DockerResponseServerError { message: said, .. }
        | DockerError::DockerStreamError { error: said } => Error::runner(message, said),
        error => Error::runner(message, error),
    }
}

/// The HTTP status of the answer, if there was one.
pub(crate) fn status(error: &DockerError) -> Option<u16> {
    match error {
        DockerError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// `result`, where a thing that isn't there is none.
pub(crate) fn found<T>(
    result: std::result::Result<T, DockerError>,
) -> std::result::Result<Option<T>, DockerError> {
    match result {
        Ok(thing) => Ok(Some(thing)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}
