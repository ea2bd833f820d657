//! Starts cargo, rustc and other programs, each in the environment of the user's shell.
//!
//! `tests/tidy` checks that this crate starts programs only by these functions.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand};

use crate::{color, environment};

/// Returns a command that runs `program` without the variables that cargo set for this process.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment::user_environment(std::env::vars_os()));
    command
}

/// Returns a command that runs the cargo that started this process, else the first one on `PATH`.
pub(crate) fn cargo() -> Command {
    let mut cargo = command(program_of_variable("CARGO", "cargo"));
    if let Some(when) = color::of_cargo() {
        cargo.env("CARGO_TERM_COLOR", when);
    }
    cargo
}

/// Returns a command that runs the compiler that cargo uses.
pub(crate) fn rustc() -> Command {
    command(program_of_variable("RUSTC", "rustc"))
}

/// Runs `metadata` in `directory` and returns its output.
pub(crate) fn metadata(
    metadata: &MetadataCommand,
    directory: &Path,
) -> cargo_metadata::Result<Metadata> {
    let output =
        cargo().args(metadata.cargo_command().get_args()).current_dir(directory).output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(cargo_metadata::Error::CargoMetadata { stderr });
    }
    let text = str::from_utf8(&output.stdout)?;
    let object = text.lines().find(|line| line.starts_with('{'));
    MetadataCommand::parse(object.ok_or(cargo_metadata::Error::NoJson)?)
}

fn program_of_variable(variable: &str, program: &str) -> OsString {
    std::env::var_os(variable).filter(|path| !path.is_empty()).unwrap_or_else(|| program.into())
}
