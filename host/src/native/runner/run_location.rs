//! Locations of runs, as manifests record them.

use std::fmt;

use super::namespace::Namespace;
use crate::error::{Error, Result};

/// The prefix of a location in Docker.
const DOCKER: &str = "docker:";
/// The prefix of a location in Kubernetes.
const KUBERNETES: &str = "kubernetes:";
/// The maximum number of quoted characters of an invalid location.
const MAX_QUOTED: usize = 100;

/// The location of a run. It is untrusted, since it comes from the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunLocation {
    /// A Docker daemon: the name of its machine, and its address on that machine.
    Docker { machine: String, address: String },
    /// A namespace of a Kubernetes cluster.
    Kubernetes { namespace: Namespace },
    /// A location that this version does not know. Control characters are replaced.
    Unknown(String),
}

impl RunLocation {
    /// Parses the location that a manifest records.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if it claims to be in Docker or Kubernetes, and names no machine or namespace.
    pub(crate) fn parse(location: &str) -> Result<Self> {
        if let Some(namespace) = location.strip_prefix(KUBERNETES) {
            let namespace =
                Namespace::parse(namespace).map_err(|error| invalid(location, error))?;
            return Ok(Self::Kubernetes { namespace });
        }
        let Some(rest) = location.strip_prefix(DOCKER) else {
            return Ok(Self::Unknown(location.replace(char::is_control, "\u{fffd}")));
        };
        match rest
            .split_once(':')
            .filter(|(machine, address)| is_machine(machine) && is_address(address))
        {
            Some((machine, address)) => {
                Ok(Self::Docker { machine: machine.to_owned(), address: address.to_owned() })
            }
            None => Err(invalid(location, "it names no machine and address of a Docker daemon")),
        }
    }

    /// Returns a phrase for messages: `in Kubernetes, namespace default`.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Docker { machine, address } => {
                format!("in Docker, by the daemon at {address} of the machine {machine}")
            }
            Self::Kubernetes { namespace } => format!("in Kubernetes, namespace {namespace}"),
            Self::Unknown(location) => format!("in {location}"),
        }
    }

    /// Returns a hint how to create a submitter that searches this location.
    pub(crate) fn submitter_hint(&self) -> &'static str {
        match self {
            Self::Docker { .. } => {
                "Submitter::docker() on that machine, or HYPE_SUBMITTER=docker for hype::main"
            }
            Self::Kubernetes { .. } => {
                "Submitter::kubernetes() with that cluster, or HYPE_SUBMITTER=kubernetes for hype::main"
            }
            Self::Unknown(_) => "a submitter with the runner that started it",
        }
    }
}

/// Formats the location as a manifest records it.
impl fmt::Display for RunLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker { machine, address } => write!(f, "{DOCKER}{machine}:{address}"),
            Self::Kubernetes { namespace } => write!(f, "{KUBERNETES}{namespace}"),
            Self::Unknown(location) => f.write_str(location),
        }
    }
}

/// Returns the error of a location that hype never writes.
fn invalid(location: &str, reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let quoted: String = location.chars().take(MAX_QUOTED).collect();
    Error::input(format!("`{}` is not a location of a run", quoted.escape_debug())).because(reason)
}

/// Returns whether `name` can be a machine's host name; an unnamed machine is fine.
fn is_machine(name: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    name.len() <= 253 && name.chars().all(is_fine)
}

/// Returns whether `address` can be a daemon's address, which only messages contain.
fn is_address(address: &str) -> bool {
    let is_url = address.starts_with("unix://") || address.starts_with("tcp://");
    is_url && address.len() <= 300 && !address.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_round_trips_through_text() {
        let (machine, address) = ("build-7".to_owned(), "unix:///var/run/docker.sock".to_owned());
        for location in [
            RunLocation::Docker { machine, address },
            RunLocation::Kubernetes { namespace: Namespace::parse("team-a").unwrap() },
            RunLocation::Unknown("slurm:queue".to_owned()),
        ] {
            assert_eq!(RunLocation::parse(&location.to_string()).unwrap(), location);
        }
    }

    #[test]
    fn description_has_no_control_characters() {
        for location in ["\u{9b}2J", "slurm:\u{1b}[2J"] {
            let description = RunLocation::parse(location).unwrap().describe();
            assert!(!description.contains(char::is_control), "{description:?}");
        }
    }

    #[test]
    fn invalid_location_is_rejected_by_name() {
        for location in [
            "kubernetes:",
            "kubernetes:a/../b",
            "kubernetes:prod/pods?x=1#",
            "kubernetes:kube-system/secrets?#",
            "kubernetes:\u{1b}",
            "docker:",
            "docker:m",
            "docker:m:http://elsewhere/",
            "docker:m/containers?x=1#:unix:///s",
            "docker:m:unix:///\u{1b}[2J",
        ] {
            let error = RunLocation::parse(location).unwrap_err();
            let expected = format!("`{}` is not a location of a run", location.escape_debug());
            assert!(error.to_string().starts_with(&expected), "{error}");
            assert!(!error.report().replace('\n', "").contains(char::is_control), "{error:?}");
        }
    }
}
