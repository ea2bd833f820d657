//! Commands, where the environment grants them.
//!
//! A guest starts them through `spotify:hype/process`. A name is resolved before the guest begins, to a file
//! that no closure may write to, and nothing else is started by it. A command is an ordinary process with all
//! the rights of this one, but for new privileges: this is no sandbox. What it leaves behind ends with the call.
//!
//! - `resolve`: from a name to a file. No IO of its own.
//! - `variables`: what of the environment a command gets.
//! - `commands`: what one guest may start, and has started.
//! - `place`: where that is: among the processes here, or in namespaces that show a guest's paths.
//! - `layout`: the root of such a place, step by step. `namespaces`: the system calls that make one.
//! - `descendants`: the end of all that commands here left behind.
//! - `spawn`: the system calls that make a process. `started`, `child`, `streams`: its end and its streams.
//! - `calls`: the guest's calls.

mod calls;
#[cfg(target_os = "linux")]
mod child;
mod commands;
#[cfg(target_os = "linux")]
mod descendants;
#[cfg(target_os = "linux")]
mod layout;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod place;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod place;
mod resolve;
#[cfg(target_os = "linux")]
mod spawn;
#[cfg(target_os = "linux")]
mod started;
#[cfg(target_os = "linux")]
mod streams;
mod variables;

pub(crate) use calls::{Command, link};
pub(crate) use commands::{Child, Commands, Unstarted};
pub(crate) use place::Shown;
pub(crate) use variables::Said;

pub use place::{CommandPlace, NoNamespaces, check_namespaces};
