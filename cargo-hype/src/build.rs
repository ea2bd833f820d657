//! Packages to components under `target/hype`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use cargo_metadata::Package;
use hype::Component;
use hype::component::Function;
use hype::stage::Digest;

use crate::cli::Selection;
use crate::compile::{Module, compile};
use crate::componentize::componentize;
use crate::error::{Error, Result};
use crate::project::Project;

/// A component that stands under `target/hype`.
#[derive(Debug)]
pub struct Built {
    /// The package that it was made of.
    pub package: String,
    /// Where it stands.
    pub path: PathBuf,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
    /// Its functions, those of other packages too.
    pub functions: Vec<Function>,
    /// Whether it was there already.
    pub fresh: bool,
}

/// Builds the components of the packages that `selection` names.
///
/// # Errors
///
/// When one of them doesn't compile, or isn't a component with functions then.
pub fn build(project: &Project, selection: &Selection) -> Result<Vec<Built>> {
    let packages = project.select(&selection.packages)?;
    build_all(project, &packages, selection)
}

/// Builds the components of `packages`.
///
/// # Errors
///
/// As [`build`].
pub fn build_all(
    project: &Project,
    packages: &[&Package],
    selection: &Selection,
) -> Result<Vec<Built>> {
    let components = project.components();
    packages
        .iter()
        .map(|package| {
            let module = compile(project, package, selection)?;
            // Not before cargo has made its target directory, and marked it as one.
            fs::create_dir_all(&components).map_err(|error| unwritten(&components, error))?;
            build_one(&components, package, &module)
        })
        .collect()
}

fn build_one(components: &Path, package: &Package, module: &Module) -> Result<Built> {
    let path = components.join(format!("{}.wasm", package.name));
    let bytes = fs::read(&module.path).map_err(|error| {
        Error::machinery(format!("cannot read {}", module.path.display())).because(error)
    })?;
    let stamp = stamp(&bytes);
    let stamp_path = path.with_extension("stamp");
    let unchanged = module.fresh && fs::read_to_string(&stamp_path).is_ok_and(|old| old == stamp);
    if unchanged && let Ok(component) = Component::open(&path) {
        component.precompile()?;
        return Ok(built(package, path, &component, true));
    }
    let component = componentize(&package.name, &bytes)?;
    let sources: Vec<_> = module.sources.iter().map(|path| path.to_string_lossy()).collect();
    write(&path.with_extension("sources"), sources.join("\n").as_bytes())?;
    write(&path, component.bytes())?;
    write(&stamp_path, stamp.as_bytes())?;
    // Here rather than in the program, whose compiler may be an unoptimized one.
    component.precompile()?;
    Ok(built(package, path, &component, false))
}

fn built(package: &Package, path: PathBuf, component: &Component, fresh: bool) -> Built {
    Built {
        package: package.name.to_string(),
        path,
        digest: component.digest(),
        size: component.bytes().len() as u64,
        functions: component.functions().to_vec(),
        fresh,
    }
}

/// What a component was made of and by whom: the same stamp, the same component.
fn stamp(module: &[u8]) -> String {
    format!("{} {}\n", env!("CARGO_PKG_VERSION"), Digest::of(module))
}

/// Writes a file whole or not at all: a program may be looking for it now.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(path);
    let write = || {
        let mut file = readable().tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error: std::io::Error| unwritten(path, error))
}

/// Temporary files that become files as any other: for whom the user's umask says.
fn readable() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

fn unwritten(path: &Path, error: std::io::Error) -> Error {
    Error::machinery(format!("cannot write {}", path.display())).because(error)
}
