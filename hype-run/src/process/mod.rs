//! Commands that the environment of a closure grants.
//!
//! A guest starts commands through `spotify:hype/process`. The name of each granted command is resolved before the
//! guest begins, to a file that no closure can write to; a guest can start no other file. A command is an ordinary
//! process in a room of namespaces, or a restricted process beside this one in a container. All its processes end when
//! the call of the closure ends.
//!
//! - `calls`: the guest's calls. `guest_commands`: the process that starts them. `commands`: the granted and the started
//!   commands of a guest.
//! - `resolve`: the search for a program. `variables`: the environment of a command.
//! - `place`: the choice between a room and the namespaces of this process.
//! - `room`, `first`: the namespaces of a room and its first process. `layout`: the steps that create its root
//!   directory. `idmap`: ID-mapped mounts, for commands of a process that runs as root. `identity`: the user of
//!   commands.
//! - `confinement`: the restrictions of a command. `seccomp`: system calls. `landlock_rules`: write access.
//!   `memory_group`: the memory of all commands of a room.
//! - `descendants`: ends the processes that commands outside of a room leave behind. `process_table`: lists processes.
//!   `watch`: limits their number.
//! - `spawn`: the system calls that create a process. `started`, `child`, `streams`: its end and its streams.
//! - `report`: a description of the room on this machine.

mod calls;
#[cfg(target_os = "linux")]
mod child;
mod commands;
#[cfg(target_os = "linux")]
mod confinement;
#[cfg(target_os = "linux")]
mod descendants;
#[cfg(target_os = "linux")]
mod first;
mod guest_commands;
#[cfg(target_os = "linux")]
mod identity;
#[cfg(target_os = "linux")]
mod idmap;
mod isolation;
#[cfg(target_os = "linux")]
mod landlock_rules;
#[cfg(target_os = "linux")]
mod layout;
#[cfg(target_os = "linux")]
mod memory_group;
#[cfg(target_os = "linux")]
mod place;
#[cfg(not(target_os = "linux"))]
#[path = "unsupported.rs"]
mod place;
#[cfg(target_os = "linux")]
mod process_table;
#[cfg(target_os = "linux")]
mod report;
mod resolve;
#[cfg(target_os = "linux")]
mod room;
#[cfg(target_os = "linux")]
mod seccomp;
#[cfg(target_os = "linux")]
mod spawn;
#[cfg(target_os = "linux")]
mod started;
#[cfg(target_os = "linux")]
mod streams;
mod variables;
#[cfg(target_os = "linux")]
mod watch;

pub(crate) use calls::{Command, link};
#[cfg(target_os = "linux")]
pub(crate) use calls::{ErrorKind, ExitStatus, Stdio};
#[cfg(target_os = "linux")]
pub(crate) use child::{COPY_BUFFER, Spawned};
pub(crate) use commands::{Child, Commands, Unstarted};
#[cfg(target_os = "linux")]
pub(crate) use commands::{Ending, Slot};
#[cfg(target_os = "linux")]
pub(crate) use confinement::give_up_rights;
pub(crate) use guest_commands::{GuestCommands, Starter};
#[cfg(target_os = "linux")]
pub(crate) use identity::are_nobodys;
#[cfg(target_os = "linux")]
pub(crate) use landlock_rules::version as landlock_version;
pub(crate) use place::Shown;
#[cfg(target_os = "linux")]
pub(crate) use seccomp::deny_x32;
#[cfg(target_os = "linux")]
pub(crate) use spawn::{Stack, without_signals};
pub(crate) use variables::Changes;

pub use isolation::{CommandIsolation, CommandRoom, NoNamespaces};
pub use place::check_namespaces;
