//! Commands from inside a closure, where its environment grants them: shaped like those of `std::process`.
//!
//! ```no_run
//! # fn kernel() -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
//! use hype::process::Command;
//!
//! // Granted by RunEnvironment::allow_command("uname").
//! let output = Command::new("uname").arg("-a").output()?;
//! # Ok(String::from_utf8(output.stdout)?)
//! # }
//! ```
//!
//! A command is a process of the machine that the closure runs on, with all the rights of whoever runs it there.
//! It ends with the closure, and so does all that it started. What the environment doesn't grant ends the
//! closure, with a failure that names what would grant it. Outside of a closure each start is an error: there
//! is `std::process`.
//!
//! - `command`: what to start, and with what.
//! - `child`: what was started, with its streams.
//! - `status`: how it ended.
//! - `system`: by `spotify:hype/process`, or natively not at all.

mod child;
mod command;
mod status;
#[cfg(target_family = "wasm")]
#[path = "system.rs"]
mod system;
#[cfg(not(target_family = "wasm"))]
#[path = "outside.rs"]
mod system;

pub use child::{Child, ChildStderr, ChildStdin, ChildStdout};
pub use command::{Command, Stdio};
pub use status::{ExitStatus, Output};
