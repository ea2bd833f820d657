//! Where commands are: among the processes here, or in namespaces that show a guest's paths.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hype_wire::{Failure, FailureKind, is_below};
use tokio::sync::OwnedSemaphorePermit;

use super::child::{self, At};
use super::commands::{Child, Start, Unstarted};
use super::descendants::Adoption;
pub(crate) use super::layout::Shown;
use super::layout::{list, steps};
use super::namespaces::{Namespaces, Plan};

/// Where an [`Executor`](crate::Executor) runs commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommandPlace {
    /// In Linux namespaces, one for each guest: there they see what the guest sees at its paths, and this
    /// machine's files for reading.
    #[default]
    Apart,
    /// Among the processes here, for a process that runs one closure and nothing else, at whose paths
    /// everything is mounted, as in a container. When the call ends, so do all processes that this one
    /// started.
    Here,
}

/// Why this machine can't run commands in [namespaces](CommandPlace::Apart).
#[derive(Debug, Clone)]
pub struct NoNamespaces(String);

impl fmt::Display for NoNamespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoNamespaces {}

/// Makes sure that this machine runs commands in namespaces, by making some.
///
/// # Errors
///
/// When it doesn't: there are users that may not make any, and systems without.
pub fn check_namespaces() -> Result<(), NoNamespaces> {
    static MADE: OnceLock<()> = OnceLock::new();
    if MADE.get().is_none() {
        let made = tempfile::tempdir().and_then(|root| namespaces(&[], root.path()));
        made.map_err(|error| NoNamespaces(error.to_string()))?;
        let _ = MADE.set(());
    }
    Ok(())
}

fn namespaces(shown: &[Shown], root: &Path) -> io::Result<Namespaces> {
    Namespaces::make(&Plan::new(steps(shown, &list)?, root)?)
}

/// The place of one guest's commands. It is made for the first of them, and goes when this is dropped.
pub(crate) enum Place {
    Apart(Option<Namespaces>),
    Here(Option<Adoption>),
}

impl Place {
    pub(crate) fn new(place: CommandPlace) -> Self {
        match place {
            CommandPlace::Apart => Self::Apart(None),
            CommandPlace::Here => Self::Here(None),
        }
    }

    /// Ends all that runs there.
    pub(crate) fn end(&mut self) {
        match self {
            Self::Apart(made) => *made = None,
            Self::Here(adoption) => *adoption = None,
        }
    }

    /// Starts a command for a guest that is shown `shown`.
    pub(crate) fn start(
        &mut self,
        start: Start<'_>,
        shown: &[Shown],
        scratch: &Path,
        permit: OwnedSemaphorePermit,
    ) -> Result<Child, Unstarted> {
        let directory = start.command.directory.as_deref().unwrap_or("/");
        match self {
            Self::Apart(made) => {
                let namespaces = match made {
                    Some(namespaces) => namespaces,
                    None => made.insert(make(shown, scratch).map_err(Unstarted::Failed)?),
                };
                let at = At { directory: directory.into(), within: Some(namespaces.as_raw_fd()) };
                let (child, started) = child::start(start, at, permit)?;
                namespaces.admit(&started);
                Ok(child)
            }
            Self::Here(adoption) => {
                check_paths(shown).map_err(Unstarted::Failed)?;
                let adoption = match adoption {
                    Some(adoption) => adoption,
                    None => adoption.insert(Adoption::begin().map_err(unadopted)?),
                };
                let at = At { directory: real(directory, shown), within: None };
                adoption.besides(|| {
                    let (child, started) = child::start(start, at, permit)?;
                    Ok((child, started.pid()))
                })
            }
        }
    }
}

fn make(shown: &[Shown], scratch: &Path) -> Result<Namespaces, Failure> {
    let root = scratch.join("root");
    let made = std::fs::create_dir(&root).and_then(|()| namespaces(shown, &root));
    made.map_err(|error| {
        let what = "commands can have no place of their own";
        Failure {
            causes: vec![error.to_string()],
            ..Failure::new(FailureKind::Infrastructure, what)
        }
    })
}

fn unadopted(error: io::Error) -> Unstarted {
    let what = "the end of commands cannot be seen to";
    let causes = vec![error.to_string()];
    Unstarted::Failed(Failure { causes, ..Failure::new(FailureKind::Infrastructure, what) })
}

/// Makes sure that what is mounted is at its very path here: nobody translates what a command is told.
fn check_paths(shown: &[Shown]) -> Result<(), Failure> {
    let mut mounts = shown.iter().filter(|shown| !shown.is_beside && shown.path != "/tmp");
    match mounts.find(|mount| Path::new(&mount.path) != mount.real) {
        None => Ok(()),
        Some(mount) => Err(Failure::new(
            FailureKind::Incompatible,
            format!(
                "commands would not see the mount at {}, which is {} here",
                mount.path,
                mount.real.display()
            ),
        )),
    }
}

/// Where the guest's `path` is here.
fn real(path: &str, shown: &[Shown]) -> PathBuf {
    let shown = shown.iter().find(|shown| is_below(path, &shown.path) && !shown.path.is_empty());
    match shown {
        Some(shown) => {
            let rest = path[shown.path.len()..].trim_start_matches('/');
            if rest.is_empty() { shown.real.clone() } else { shown.real.join(rest) }
        }
        None => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hype_wire::Access;

    fn shown(path: &str, real: &str, is_beside: bool) -> Shown {
        Shown { path: path.into(), real: real.into(), access: Access::ReadWrite, is_beside }
    }

    #[test]
    fn a_directory_is_found_where_it_is() {
        let all = [
            shown("/tmp", "/s/tmp", false),
            shown("/models", "/s/0", true),
            shown("", "/s/1", true),
        ];
        for (path, found) in [
            ("/tmp", "/s/tmp"),
            ("/tmp/a/b", "/s/tmp/a/b"),
            ("/models/x", "/s/0/x"),
            ("/modelsx", "/modelsx"),
            ("/", "/"),
        ] {
            assert_eq!(real(path, &all), Path::new(found), "{path}");
        }
    }

    #[test]
    fn a_mount_elsewhere_is_no_commands() {
        let here = [
            shown("/tmp", "/s/tmp", false),
            shown("/data", "/data", false),
            shown("/x", "/s", true),
        ];
        assert_eq!(check_paths(&here), Ok(()));
        let error = check_paths(&[shown("/data", "/home/data", false)]).unwrap_err();
        assert_eq!(
            error.message,
            "commands would not see the mount at /data, which is /home/data here"
        );
    }
}
