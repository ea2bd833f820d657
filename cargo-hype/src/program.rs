//! Builds a package's programs, and the components whose functions they may call.

use std::ffi::OsString;
use std::path::PathBuf;

use cargo_metadata::Package;
use hype::component::Function;

use crate::build::{Built, build_all};
use crate::cargo::Cargo;
use crate::cli::Selection;
use crate::compile::profile_and_feature_flags;
use crate::configuration;
use crate::error::{Error, Result};
use crate::project::Project;

/// A built program.
#[derive(Debug)]
pub struct Program {
    /// The name.
    pub name: String,
    /// The path of the executable.
    pub path: PathBuf,
}

/// Returns the names of the programs of `package`.
pub(crate) fn names(package: &Package) -> Vec<&str> {
    let programs = package.targets.iter().filter(|target| target.is_bin());
    programs.map(|target| target.name.as_str()).collect()
}

/// Rejects a name that no program of `package` has.
pub(crate) fn check_name<'a>(package: &Package, name: &'a str) -> Result<&'a str> {
    let names = names(package);
    if names.contains(&name) {
        return Ok(name);
    }
    Err(Error::input(format!("`{}` has no program `{name}`", package.name))
        .hint(format!("it has: {}", names.join(", "))))
}

/// Returns the error for a package without programs.
pub(crate) fn no_program_error(package: &Package) -> Error {
    Error::input(format!("`{}` has no program to run", package.name))
        .hint("write one in its src/main.rs, or call a function: cargo hype call")
}

/// Builds the components whose functions a program of `package` may call: those of `package` and its dependencies.
///
/// # Errors
///
/// If a component doesn't compile.
pub(crate) fn build_components(
    project: &Project,
    package: &Package,
    selection: &Selection,
) -> Result<Vec<Built>> {
    let definers = project.definers(package);
    // The selected features are those of `package`; other packages are built with their default features.
    let (own, others): (Vec<_>, Vec<_>) = definers.iter().partition(|other| other.id == package.id);
    let without_features = Selection {
        release: selection.release,
        profile: selection.profile.clone(),
        ..Selection::default()
    };
    let mut built = build_all(project, &own, selection)?;
    built.extend(build_all(project, &others, &without_features)?);
    Ok(built)
}

/// Builds the program `name` of `package`, whose `components` are built. Sets the environment variable `variable`
/// for the compiler.
///
/// # Errors
///
/// If the program doesn't compile.
pub(crate) fn build_program(
    project: &Project,
    package: &Package,
    selection: &Selection,
    name: &str,
    components: &[Built],
    variable: Option<(&'static str, OsString)>,
) -> Result<Program> {
    check_target(project, name)?;
    let spec = format!("{}@{}", package.name, package.version);
    let mut arguments: Vec<OsString> =
        ["build", "-p", &spec, "--bin", name].map(OsString::from).into();
    arguments.extend(profile_and_feature_flags(selection));
    let variables = variable.into_iter().map(|(name, value)| (name, Some(value))).collect();
    let cargo = Cargo { directory: project.directory(), arguments, variables };
    let artifacts = cargo.build()?.artifacts().ok_or_else(|| {
        Error::input(format!("the program `{name}` of `{}` doesn't compile", package.name))
            .hint(compile_hint(package, components))
    })?;
    let path = artifacts.into_iter().rev().find_map(|artifact| artifact.executable);
    let path = path.map(PathBuf::from).ok_or_else(|| {
        Error::machinery(format!("cargo built no program `{name}` of `{}`", package.name))
    })?;
    Ok(Program { name: name.to_owned(), path })
}

/// Rejects a configuration that builds the program `name` for WebAssembly, where it cannot submit closures.
fn check_target(project: &Project, name: &str) -> Result<()> {
    let tables = configuration::read(project.directory(), configuration::home())?;
    match configuration::build_target(&tables, std::env::var("CARGO_BUILD_TARGET").ok()) {
        Some(target) if target.starts_with("wasm") => Err(Error::input(format!(
            "cargo's configuration builds the program `{name}` for {target}, where it can't submit closures"
        ))
        .hint(
            "remove CARGO_BUILD_TARGET and `[build] target` in .cargo/config.toml: functions are compiled for \
             wasm32-wasip1 without them",
        )),
        _ => Ok(()),
    }
}

/// Returns a hint for a program of `package` that doesn't compile.
fn compile_hint(package: &Package, components: &[Built]) -> String {
    let crate_name = package.name.replace('-', "_");
    let mut functions = components.iter().flat_map(|component| &component.functions);
    let hides_crate = |function: &Function| {
        function.package == package.name.as_str() && function.name == crate_name
    };
    if functions.any(hides_crate) {
        // The macro generates a type with the function's name, which hides the crate.
        return format!(
            "see the compiler's errors above; to name the crate and not its function `{crate_name}`, write \
             `::{crate_name}`"
        );
    }
    "see the compiler's errors above".to_owned()
}
