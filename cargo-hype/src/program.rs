//! A package's programs, and the components whose functions they may call.

use std::ffi::OsString;
use std::path::PathBuf;

use cargo_metadata::Package;
use hype::component::Function;

use crate::build::{Built, build_all};
use crate::cargo::Cargo;
use crate::cli::Selection;
use crate::compile::profile_arguments;
use crate::configuration;
use crate::error::{Error, Result};
use crate::project::Project;

/// A program that was built.
#[derive(Debug)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub path: PathBuf,
}

/// The names of the programs of `package`.
pub(crate) fn names(package: &Package) -> Vec<&str> {
    let programs = package.targets.iter().filter(|target| target.is_bin());
    programs.map(|target| target.name.as_str()).collect()
}

/// Refuses a program that `package` doesn't have.
pub(crate) fn check_name<'a>(package: &Package, name: &'a str) -> Result<&'a str> {
    let names = names(package);
    if names.contains(&name) {
        return Ok(name);
    }
    Err(Error::input(format!("`{}` has no program `{name}`", package.name))
        .hint(format!("it has: {}", names.join(", "))))
}

/// That `package` has nothing to run.
pub(crate) fn none(package: &Package) -> Error {
    Error::input(format!("`{}` has no program to run", package.name))
        .hint("write one in its src/main.rs, or call a function: cargo hype call")
}

/// Builds the components whose functions a program of `package` may call: its own and those of the
/// packages that it depends on.
///
/// # Errors
///
/// When one of them doesn't compile.
pub(crate) fn build_components(
    project: &Project,
    package: &Package,
    selection: &Selection,
) -> Result<Vec<Built>> {
    let definers = project.definers(package);
    // Features are those of the program's package; a component has those that it has by itself.
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

/// Builds the program `name` of `package`, beside its `components`; the compiler sees `variable`.
///
/// # Errors
///
/// When it doesn't compile.
pub(crate) fn build_program(
    project: &Project,
    package: &Package,
    selection: &Selection,
    (name, components): (&str, &[Built]),
    variable: Option<(&'static str, OsString)>,
) -> Result<Program> {
    check_target(project, name)?;
    let spec = format!("{}@{}", package.name, package.version);
    let mut arguments: Vec<OsString> =
        ["build", "-p", &spec, "--bin", name].map(OsString::from).into();
    arguments.extend(profile_arguments(selection));
    let variables = variable.into_iter().map(|(name, value)| (name, Some(value))).collect();
    let cargo = Cargo { directory: project.directory(), arguments, variables };
    let artifacts = cargo.build()?.artifacts().ok_or_else(|| {
        Error::input(format!("the program `{name}` of `{}` doesn't compile", package.name))
            .hint(why_not(package, components))
    })?;
    let path = artifacts.into_iter().rev().find_map(|artifact| artifact.executable);
    let path = path.map(PathBuf::from).ok_or_else(|| {
        Error::machinery(format!("cargo made no program `{name}` of `{}`", package.name))
    })?;
    Ok(Program { name: name.to_owned(), path })
}

/// Refuses to build the program `name` for WebAssembly, where it cannot submit anything.
fn check_target(project: &Project, name: &str) -> Result<()> {
    let tables = configuration::read(project.directory(), configuration::home())?;
    match configuration::build_target(&tables, std::env::var("CARGO_BUILD_TARGET").ok()) {
        Some(target) if target.starts_with("wasm") => Err(Error::input(format!(
            "cargo's configuration has the program `{name}` built for {target}, where it can't submit anything"
        ))
        .hint(
            "take CARGO_BUILD_TARGET and `[build] target` of .cargo/config.toml away: functions are compiled for \
             wasm32-wasip1 without them",
        )),
        _ => Ok(()),
    }
}

/// What may help where a program of `package` doesn't compile.
fn why_not(package: &Package, components: &[Built]) -> String {
    let crate_name = package.name.replace('-', "_");
    let mut functions = components.iter().flat_map(|component| &component.functions);
    let hides_crate = |function: &Function| {
        function.package == package.name.as_str() && function.name == crate_name
    };
    if functions.any(hides_crate) {
        // Of a function that runs elsewhere, its name is a type's too.
        return format!(
            "what cargo says above is why; where `{crate_name}` means the package and not its function \
             `{crate_name}`, write `::{crate_name}`"
        );
    }
    "what cargo says above is why".to_owned()
}
