//! cargo, rustc and what else this command starts, each in the environment of the user's shell.
//!
//! `tests/tidy` sees to it that nothing here is started in another way.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand};

use crate::environment;

/// The command `program`, without what cargo set for this process.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment::of_user(std::env::vars_os()));
    command
}

/// The cargo that called us, else the first one on the path.
pub(crate) fn cargo() -> Command {
    command(of_variable("CARGO", "cargo"))
}

/// The compiler that cargo uses.
pub(crate) fn rustc() -> Command {
    command(of_variable("RUSTC", "rustc"))
}

/// What cargo tells of the packages around `directory`, asked by `metadata`.
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
    let told = str::from_utf8(&output.stdout)?;
    let object = told.lines().find(|line| line.starts_with('{'));
    MetadataCommand::parse(object.ok_or(cargo_metadata::Error::NoJson)?)
}

fn of_variable(variable: &str, program: &str) -> OsString {
    std::env::var_os(variable).filter(|path| !path.is_empty()).unwrap_or_else(|| program.into())
}
