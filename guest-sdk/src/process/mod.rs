//! Runs commands from inside a closure, if its environment grants them. The API is that of `std::process`.
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
//! A command is a process of the machine that the closure runs on, with all the rights of the process that runs the
//! closure. The command and its descendants are killed when the closure ends. Starting a command that the environment
//! doesn't grant ends the closure with a failure that names the missing grant. Outside of a closure, starting a
//! command is an error of kind [`Unsupported`](std::io::ErrorKind::Unsupported); use `std::process` there.
//!
//! - `command`: the program to start, its arguments and environment.
//! - `child`: a started command and its streams.
//! - `status`: the exit status and the output of an ended command.
//! - `system`: implements commands with `spotify:hype/process`; natively, all starts fail.

mod child;
mod command;
mod status;
#[cfg(target_family = "wasm")]
#[path = "system.rs"]
mod system;
#[cfg(not(target_family = "wasm"))]
#[path = "unsupported.rs"]
mod system;

pub use child::{Child, ChildStderr, ChildStdin, ChildStdout};
pub use command::{Command, Stdio};
pub use status::{ExitStatus, Output};
