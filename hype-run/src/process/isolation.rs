//! The kinds of isolation of commands, and what a machine offers for it.

use std::fmt;

/// The isolation of the commands that an [`Executor`](crate::Executor) runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommandIsolation {
    /// Commands run in a room of Linux namespaces, one for each guest. They see the guest's directories at the guest's
    /// paths, and the files of this machine read-only. If this process runs as root, commands run as the user `nobody`.
    #[default]
    Namespaces,
    /// Commands run in the namespaces of this process, which must run only one closure, with each mount at the path
    /// that the closure sees, as in a container. When the call ends, all descendants of this process are killed.
    Container,
    /// Commands run in the namespaces of this process, and can read all files that this user can read. When the call
    /// ends, the process groups of the commands are killed, but not processes in other groups or sessions.
    Unconfined,
}

/// The reason for which this machine can't run commands in [a room](CommandIsolation::Namespaces). Only Linux can.
#[derive(Debug, Clone)]
pub struct NoNamespaces(pub(super) String);

impl fmt::Display for NoNamespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoNamespaces {}

/// The properties of the commands' room that differ between machines.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CommandRoom {
    /// The reason for which this machine has no room; `None` if it has one.
    pub refusal: Option<NoNamespaces>,
    /// Whether commands run as the user `nobody`, because this process runs as root.
    pub is_nobodys: bool,
    /// Whether commands see their own processes in `/proc`.
    pub has_proc: bool,
    /// Whether a control group bounds the memory of all commands of a closure together.
    pub has_memory_group: bool,
    /// The version of Landlock; `None` if the kernel doesn't support it.
    pub landlock: Option<u32>,
}

impl fmt::Display for CommandRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(refusal) = &self.refusal {
            return write!(f, "none: {refusal}");
        }
        let user = if self.is_nobodys { "as nobody" } else { "as this user" };
        let proc = if self.has_proc { "with /proc" } else { "without /proc" };
        write!(f, "namespaces and seccomp, {user}, {proc}, ")?;
        match self.landlock {
            Some(version) => write!(f, "with Landlock {version}")?,
            None => f.write_str("without Landlock")?,
        }
        let group = if self.has_memory_group { "with" } else { "without" };
        write!(f, ", {group} a control group for memory")
    }
}
