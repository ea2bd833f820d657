//! A package's program, once the components whose functions it may call are built.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use cargo_metadata::Package;

use crate::choice::Choice;
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
    (choice, arguments): (&Choice, &[OsString]),
) -> Result<ExitCode> {
    let package = project.select_one(&selection.packages)?;
    let bin = choose(package, bin)?;
    build_components(project, package, selection)?;
    let program = build_program(project, package, selection, bin, None)?;
    let mut command = Command::new(&program.path);
    command.args(arguments);
    if let Some(submitter) = &choice.submitter {
        command.env("HYPE_SUBMITTER", submitter);
    }
    execute(command)
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
fn execute(mut program: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = program.exec();
    Err(unstarted(&program, error))
}

#[cfg(not(unix))]
fn execute(mut program: Command) -> Result<ExitCode> {
    let status = program.status().map_err(|error| unstarted(&program, error))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

fn unstarted(program: &Command, error: std::io::Error) -> Error {
    let path = program.get_program().display();
    Error::machinery(format!("cannot run {path}")).because(error)
}
