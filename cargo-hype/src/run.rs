//! A package's program, once the components whose functions it may call are built.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use cargo_metadata::Package;

use crate::choice::Choice;
use crate::cli::Selection;
use crate::error::{Error, Result};
use crate::program::{self, build_components, build_program};
use crate::project::{HYPE_PACKAGE, Project};
use crate::tool;

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
    let components = build_components(project, package, selection)?;
    let selection = &with_features(selection, package, choice)?;
    let program = build_program(project, package, selection, (bin, &components), None)?;
    let mut command = tool::command(&program.path);
    command.args(arguments);
    if let Some(submitter) = &choice.submitter {
        command.env("HYPE_SUBMITTER", submitter);
    }
    execute(command)
}

/// `selection` with the features of hype that the program needs for the submitter and the stage that are
/// chosen. Its component needs none of them.
fn with_features(selection: &Selection, package: &Package, choice: &Choice) -> Result<Selection> {
    let mut selection = selection.clone();
    let hype = package.dependencies.iter().find(|dependency| dependency.name == HYPE_PACKAGE);
    if let Some(hype) = hype {
        let name = hype.rename.as_ref().unwrap_or(&hype.name);
        let features = hype::__internal::features_for(choice.submitter.as_deref())?;
        selection.features.extend(features.iter().map(|feature| format!("{name}/{feature}")));
    }
    Ok(selection)
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
