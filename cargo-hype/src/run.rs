//! A package's program, once the components whose functions it may call are built.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use cargo_metadata::Package;

use crate::build::build_all;
use crate::cli::Selection;
use crate::compile::{cargo, profile_arguments};
use crate::error::{Error, Result};
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
    let definers = project.definers(package);
    // Features are those of the program's package; a component has those that it has by itself.
    let (own, others): (Vec<_>, Vec<_>) = definers.iter().partition(|other| other.id == package.id);
    let without_features = Selection {
        release: selection.release,
        profile: selection.profile.clone(),
        ..Selection::default()
    };
    build_all(project, &own, selection)?;
    build_all(project, &others, &without_features)?;
    let program = build_program(project, package, selection, bin)?;
    execute(&program, arguments)
}

fn choose<'a>(package: &'a Package, bin: Option<&'a str>) -> Result<&'a str> {
    let bins: Vec<_> = package
        .targets
        .iter()
        .filter(|target| target.is_bin())
        .map(|target| target.name.as_str())
        .collect();
    let chosen = bin.or(package.default_run.as_deref());
    match (chosen, bins.as_slice()) {
        (Some(chosen), bins) if bins.contains(&chosen) => Ok(chosen),
        (Some(chosen), _) => {
            Err(Error::input(format!("`{}` has no program `{chosen}`", package.name))
                .hint(format!("it has: {}", bins.join(", "))))
        }
        (None, [only]) => Ok(only),
        (None, []) => Err(Error::input(format!("`{}` has no program to run", package.name))
            .hint("write one in its src/main.rs, or call a function: cargo hype call")),
        (None, _) => Err(Error::input(format!("`{}` has several programs", package.name))
            .hint(format!("choose with --bin one of: {}", bins.join(", ")))),
    }
}

fn build_program(
    project: &Project,
    package: &Package,
    selection: &Selection,
    bin: &str,
) -> Result<PathBuf> {
    let spec = format!("{}@{}", package.name, package.version);
    let mut arguments: Vec<OsString> =
        ["build", "-p", &spec, "--bin", bin].map(OsString::from).into();
    arguments.extend(profile_arguments(selection));
    let artifacts = cargo(project.directory(), &arguments).map_err(|error| {
        error.unwrap_or_else(|| {
            Error::input(format!("the program `{bin}` of `{}` doesn't compile", package.name))
                .hint("what cargo says above is why")
        })
    })?;
    let program = artifacts.into_iter().rev().find_map(|artifact| artifact.executable);
    program.map(PathBuf::from).ok_or_else(|| {
        Error::machinery(format!("cargo made no program `{bin}` of `{}`", package.name))
    })
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
