//! A package's program, once the components whose functions it may call are built.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use cargo_metadata::Package;

use crate::cli::Selection;
use crate::error::{Error, Result};
use crate::program::{self, build_components, build_program};
use crate::project::Project;

/// Builds and runs the program of the package that `selection` names, and gives its exit status.
///
/// # Errors
///
/// When something doesn't compile, or the package has not just one program.
pub fn run(
    project: &Project,
    selection: &Selection,
    bin: Option<&str>,
    arguments: &[OsString],
) -> Result<ExitCode> {
    let package = project.select_one(&selection.packages)?;
    let bin = choose(package, bin)?;
    build_components(project, package, selection)?;
    let program = build_program(project, package, selection, bin, None)?;
    execute(&program.path, arguments)
}

fn choose<'a>(package: &'a Package, bin: Option<&'a str>) -> Result<&'a str> {
    if let Some(chosen) = bin.or(package.default_run.as_deref()) {
        return program::check_name(package, chosen);
    }
    match program::names(package).as_slice() {
        [only] => Ok(only),
        [] => Err(program::none(package)),
        names => Err(Error::input(format!("`{}` has several programs", package.name))
            .hint(format!("choose with --bin one of: {}", names.join(", ")))),
    }
}

/// Gives this process over to the program, so that signals and its exit status are its own.
#[cfg(unix)]
fn execute(program: &PathBuf, arguments: &[OsString]) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = Command::new(program).args(arguments).exec();
    Err(Error::machinery(format!("cannot run {}", program.display())).because(error))
}

#[cfg(not(unix))]
fn execute(program: &PathBuf, arguments: &[OsString]) -> Result<ExitCode> {
    let status = Command::new(program).args(arguments).status().map_err(|error| {
        Error::machinery(format!("cannot run {}", program.display())).because(error)
    })?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
