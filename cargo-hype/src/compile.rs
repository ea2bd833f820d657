//! Compiles a package's library to a core module for `wasm32-wasip1`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cargo_metadata::Package;

use crate::cargo::{BuildOutcome, Cargo};
use crate::cli::Selection;
use crate::diagnosis::diagnose;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::target::{self, TARGET};
use crate::{configuration, guest_flags, release_profile};

/// Exports the stack pointer, from which hype-run detects a stack overflow in linear memory.
const STACK_POINTER: &str = "link-arg=--export=__stack_pointer";

/// A compiled library.
#[derive(Debug)]
pub struct Module {
    /// The path of the core module.
    pub path: PathBuf,
    /// The local source files that it was compiled from.
    pub sources: Vec<PathBuf>,
    /// Whether the module was up to date, so that nothing was compiled.
    pub fresh: bool,
}

/// Compiles the library of `package`, with the dependency versions of the project's lockfile.
///
/// # Errors
///
/// If the library doesn't compile. cargo has printed the compiler's errors; this error names the crate to blame.
pub fn compile(project: &Project, package: &Package, selection: &Selection) -> Result<Module> {
    target::ensure(project.directory())?;
    let cargo = Cargo {
        directory: project.directory(),
        arguments: module_arguments(package, selection),
        variables: variables(project, selection)?,
    };
    let artifacts = match cargo.build()? {
        BuildOutcome::Artifacts(artifacts) => artifacts,
        BuildOutcome::Failed(failure) => return Err(diagnose(project, package, failure, &cargo)?),
    };
    let module = artifacts.into_iter().rev().find_map(|artifact| {
        let is_from_package = artifact.package_id == package.id;
        let path = artifact.filenames.into_iter().find(|path| path.extension() == Some("wasm"));
        path.filter(|_| is_from_package).map(|path| (path.into_std_path_buf(), artifact.fresh))
    });
    let Some((path, fresh)) = module else {
        return Err(Error::machinery(format!("cargo built no core module for `{}`", package.name)));
    };
    Ok(Module { sources: sources(&path.with_extension("d")), path, fresh })
}

/// Returns the cargo flags for the profile and the features of `selection`.
pub(crate) fn profile_and_feature_flags(selection: &Selection) -> Vec<OsString> {
    let mut arguments = Vec::new();
    let mut add = |flag: &str, value: Option<&String>| {
        arguments.push(flag.into());
        arguments.extend(value.map(OsString::from));
    };
    if selection.release {
        add("--release", None);
    }
    if let Some(profile) = &selection.profile {
        add("--profile", Some(profile));
    }
    for feature in &selection.features {
        add("--features", Some(feature));
    }
    if selection.all_features {
        add("--all-features", None);
    }
    if selection.no_default_features {
        add("--no-default-features", None);
    }
    arguments
}

/// Returns whether the profile of `selection` is optimized. Any profile but `dev` is taken for optimized.
fn is_optimized(selection: &Selection) -> bool {
    selection.release || selection.profile.as_deref().is_some_and(|profile| profile != "dev")
}

/// Returns the environment variables for cargo. Those without a value are to be removed.
fn variables(
    project: &Project,
    selection: &Selection,
) -> Result<Vec<(&'static str, Option<OsString>)>> {
    let mut tables = configuration::read(project.directory(), configuration::home())?;
    let mut variables =
        guest_flags::variables(&tables, project.directory(), is_optimized(selection))?;
    tables.push(configuration::read_manifest(project.root())?);
    variables.extend(release_profile::variables(&tables, |name| std::env::var_os(name).is_some()));
    Ok(variables)
}

/// Returns the arguments of the cargo command that compiles the core module.
///
/// Function names stay in the module, for backtraces. Optimized modules carry no line tables: those of the
/// standard library are four fifths of a small component.
fn module_arguments(package: &Package, selection: &Selection) -> Vec<OsString> {
    let spec = format!("{}@{}", package.name, package.version);
    let mut arguments: Vec<OsString> =
        ["rustc", "--lib", "--crate-type", "cdylib", "--target", TARGET, "-p", &spec]
            .map(OsString::from)
            .into();
    arguments.extend(profile_and_feature_flags(selection));
    let strip = if is_optimized(selection) { "strip=debuginfo" } else { "strip=none" };
    arguments.extend(["--", "-C", strip, "-C", STACK_POINTER].map(OsString::from));
    arguments
}

/// Returns the files that cargo's dep-info file at `path` lists: `MODULE: FILE FILE …`, with escaped spaces.
pub(crate) fn sources(path: &Path) -> Vec<PathBuf> {
    let list = std::fs::read_to_string(path).unwrap_or_default();
    let Some((_, files)) = list.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    let marked = files.replace("\\ ", "\0");
    marked.split(' ').map(|file| PathBuf::from(file.replace('\0', " "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_with_spaces_are_parsed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "/t/a.wasm: /s/lib.rs /my\\ s/b.rs\n").unwrap();
        assert_eq!(sources(file.path()), [Path::new("/s/lib.rs"), Path::new("/my s/b.rs")]);
        assert!(sources(Path::new("/no/such/file")).is_empty());
    }
}
