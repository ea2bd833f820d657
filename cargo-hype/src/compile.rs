//! cargo's part: a package's library to a core module for `wasm32-wasip1`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cargo_metadata::Package;

use crate::cargo::{Built, Cargo};
use crate::cli::Selection;
use crate::error::{Error, Result};
use crate::guest_flags;
use crate::project::Project;
use crate::refusal::explain;
use crate::target::{self, TARGET};

/// Exports the pointer of the stack in linear memory, by which hype-run tells that the stack was used up.
const STACK_POINTER: &str = "link-arg=--export=__stack_pointer";

/// What cargo made of a package's library.
#[derive(Debug)]
pub struct Module {
    /// The core module.
    pub path: PathBuf,
    /// The local files that it was made of.
    pub sources: Vec<PathBuf>,
    /// Whether it was there already.
    pub fresh: bool,
}

/// Compiles the library of `package`, as a program of the project would.
///
/// # Errors
///
/// When it doesn't compile; cargo has said why, and this says which crate is to blame.
pub fn compile(project: &Project, package: &Package, selection: &Selection) -> Result<Module> {
    target::ensure(project.directory())?;
    let cargo = Cargo {
        directory: project.directory(),
        arguments: module_arguments(package, selection),
        variables: guest_flags::variables(project.directory(), is_optimized(selection))?,
    };
    let artifacts = match cargo.build()? {
        Built::Artifacts(artifacts) => artifacts,
        Built::Refused(refusal) => return Err(explain(project, package, refusal, &cargo)?),
    };
    let module = artifacts.into_iter().rev().find_map(|artifact| {
        let is_ours = artifact.package_id == package.id;
        let path = artifact.filenames.into_iter().find(|path| path.extension() == Some("wasm"));
        path.filter(|_| is_ours).map(|path| (path.into_std_path_buf(), artifact.fresh))
    });
    let Some((path, fresh)) = module else {
        return Err(Error::machinery(format!("cargo made no module of `{}`", package.name)));
    };
    Ok(Module { sources: sources(&path.with_extension("d")), path, fresh })
}

/// The flags of cargo by which `selection` is made.
pub(crate) fn profile_arguments(selection: &Selection) -> Vec<OsString> {
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

/// Returns whether `selection` names an optimizing profile.
fn is_optimized(selection: &Selection) -> bool {
    selection.release || selection.profile.as_deref().is_some_and(|profile| profile != "dev")
}

/// Names stay in the module, so that backtraces can tell functions. Optimized ones go without lines: those of
/// the standard library alone are four fifths of a small component.
fn module_arguments(package: &Package, selection: &Selection) -> Vec<OsString> {
    let spec = format!("{}@{}", package.name, package.version);
    let mut arguments: Vec<OsString> =
        ["rustc", "--lib", "--crate-type", "cdylib", "--target", TARGET, "-p", &spec]
            .map(OsString::from)
            .into();
    arguments.extend(profile_arguments(selection));
    let strip = if is_optimized(selection) { "strip=debuginfo" } else { "strip=none" };
    arguments.extend(["--", "-C", strip, "-C", STACK_POINTER].map(OsString::from));
    arguments
}

/// The files that cargo's list at `path` names: `MODULE: FILE FILE …`, spaces escaped.
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
    fn sources_may_have_spaces() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "/t/a.wasm: /s/lib.rs /my\\ s/b.rs\n").unwrap();
        assert_eq!(sources(file.path()), [Path::new("/s/lib.rs"), Path::new("/my s/b.rs")]);
        assert!(sources(Path::new("/no/such/file")).is_empty());
    }
}
