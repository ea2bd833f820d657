//! Places that runs are started in, as manifests name them.

use std::fmt;

/// The scheme of a Docker daemon, and that of a namespace in Kubernetes.
const DOCKER: &str = "docker:";
const KUBERNETES: &str = "kubernetes:";

/// A place that a run was started in. Whoever can write to the stage may have named it, so it has no control
/// characters: a terminal may show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunPlace {
    /// A Docker daemon, by the name of its machine and its address there.
    Docker { machine: String, address: String },
    /// A namespace of a Kubernetes cluster.
    Kubernetes { namespace: String },
    /// A place that this version knows nothing of.
    Unknown(String),
}

impl RunPlace {
    /// Reads what a manifest says.
    pub(crate) fn read(place: &str) -> Self {
        let place = &place.replace(char::is_control, "\u{fffd}");
        let docker = place.strip_prefix(DOCKER).and_then(|rest| rest.split_once(':'));
        if let Some((machine, address)) = docker {
            return Self::Docker { machine: machine.to_owned(), address: address.to_owned() };
        }
        match place.strip_prefix(KUBERNETES).filter(|namespace| is_namespace(namespace)) {
            Some(namespace) => Self::Kubernetes { namespace: namespace.to_owned() },
            None => Self::Unknown(place.clone()),
        }
    }

    /// Returns the words for a message: `in Kubernetes, namespace default`.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Docker { machine, address } => {
                format!("in Docker, by the daemon at {address} of the machine {machine}")
            }
            Self::Kubernetes { namespace } => format!("in Kubernetes, namespace {namespace}"),
            Self::Unknown(place) => format!("in {place}"),
        }
    }

    /// Returns how a program gets a submitter that looks there.
    pub(crate) fn submitter(&self) -> &'static str {
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

/// Writes it as it stands in a manifest.
impl fmt::Display for RunPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker { machine, address } => write!(f, "{DOCKER}{machine}:{address}"),
            Self::Kubernetes { namespace } => write!(f, "{KUBERNETES}{namespace}"),
            Self::Unknown(place) => f.write_str(place),
        }
    }
}

/// Whether `name` can stand in a URL as a namespace's.
fn is_namespace(name: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= 63 && name.chars().all(is_fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_read_as_it_was_written() {
        let (machine, address) = ("build-7".to_owned(), "unix:///var/run/docker.sock".to_owned());
        for place in [
            RunPlace::Docker { machine, address },
            RunPlace::Kubernetes { namespace: "team-a".to_owned() },
            RunPlace::Unknown("slurm:queue".to_owned()),
        ] {
            assert_eq!(RunPlace::read(&place.to_string()), place);
        }
    }

    #[test]
    fn place_of_the_stage_moves_no_cursor() {
        for place in ["docker:\u{1b}[2J:a\r", "kubernetes:\u{1b}", "\u{9b}2J"] {
            let shown = RunPlace::read(place).describe();
            assert!(!shown.contains(char::is_control), "{shown:?}");
        }
    }

    #[test]
    fn namespace_is_no_way_to_another_url() {
        for name in ["", "a/../b", "A", "a b", "a?b", "a.b"] {
            let place = format!("kubernetes:{name}");
            assert_eq!(RunPlace::read(&place), RunPlace::Unknown(place));
        }
    }
}
