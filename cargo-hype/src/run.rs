//! Runs a package's program after building the components whose functions it may call.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use cargo_metadata::Package;

use crate::cli::Selection;
use crate::error::{Error, Result};
use crate::program::{self, build_components, build_program};
use crate::project::{HYPE_PACKAGE, Project};
use crate::submitter_option::SubmitterOption;
use crate::tool;

/// Builds and runs a program of the package that `selection` names: `bin`, else the package's default or only program.
///
/// On Unix the program replaces this process. Elsewhere returns the program's exit status.
///
/// # Errors
///
/// If a component or the program doesn't compile, or `bin` is needed and missing.
pub fn run(
    project: &Project,
    selection: &Selection,
    bin: Option<&str>,
    submitter: &SubmitterOption,
    arguments: &[OsString],
) -> Result<ExitCode> {
    let package = project.select_one(&selection.packages)?;
    let bin = choose_program(package, bin)?;
    let components = build_components(project, package, selection)?;
    let selection = &with_features(selection, package, submitter)?;
    let program = build_program(project, package, selection, bin, &components, None)?;
    let mut command = tool::command(&program.path);
    command.args(arguments);
    command.envs(submitter.choices().variables());
    execute(command)
}

/// Returns `selection` with the features of hype that the program needs for the chosen submitter and stage.
/// Components need none of them.
fn with_features(
    selection: &Selection,
    package: &Package,
    submitter: &SubmitterOption,
) -> Result<Selection> {
    let mut selection = selection.clone();
    let hype = package.dependencies.iter().find(|dependency| dependency.name == HYPE_PACKAGE);
    if let Some(hype) = hype {
        let name = hype.rename.as_ref().unwrap_or(&hype.name);
        let features = submitter.choices().features()?;
        selection.features.extend(features.iter().map(|feature| format!("{name}/{feature}")));
    }
    Ok(selection)
}

fn choose_program<'a>(package: &'a Package, bin: Option<&'a str>) -> Result<&'a str> {
    if let Some(chosen) = bin.or(package.default_run.as_deref()) {
        return program::check_name(package, chosen);
    }
    match program::names(package).as_slice() {
        [only] => Ok(only),
        [] => Err(program::no_program_error(package)),
        names => Err(Error::input(format!("`{}` has several programs", package.name))
            .hint(format!("choose one with --bin: {}", names.join(", ")))),
    }
}

/// Replaces this process by the program, so that it receives all signals and its exit status is returned.
#[cfg(unix)]
fn execute(mut program: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = program.exec();
    Err(start_error(&program, error))
}

/// Runs the program as a child. A status that doesn't fit in a byte becomes a failure.
#[cfg(not(unix))]
fn execute(mut program: Command) -> Result<ExitCode> {
    let status = program.status().map_err(|error| start_error(&program, error))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

fn start_error(program: &Command, error: std::io::Error) -> Error {
    let path = program.get_program().display();
    Error::machinery(format!("cannot run {path}")).because(error)
}
