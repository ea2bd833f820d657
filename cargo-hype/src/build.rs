//! Builds components under `target/hype`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cargo_metadata::Package;
use hype::Component;
use hype::component::Function;
use hype::stage::Digest;

use crate::build_command::BuildCommand;
use crate::cli::Selection;
use crate::compile::{Module, compile};
use crate::componentize::componentize;
use crate::error::{Error, Result};
use crate::project::Project;

/// The file by which backup tools and programs of hype recognize a target directory.
const CACHE_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55\n";

/// A component under `target/hype`.
#[derive(Debug)]
pub struct Built {
    /// The name of the package that it was compiled from.
    pub package: String,
    /// The path of the `.wasm` file.
    pub path: PathBuf,
    /// The digest of the file.
    pub digest: Digest,
    /// The size of the file, in bytes.
    pub size: u64,
    /// The closures, including those of the package's dependencies.
    pub functions: Vec<Function>,
    /// The names of the functions with WIT types.
    pub wit_functions: Vec<String>,
    /// Whether the component is a program.
    pub is_program: bool,
    /// Whether the component was up to date, so that nothing was built.
    pub fresh: bool,
}

/// Builds the components of the packages that `selection` names.
///
/// # Errors
///
/// If a package doesn't compile, or its component has no functions.
pub fn build(project: &Project, selection: &Selection) -> Result<Vec<Built>> {
    let packages = project.select(&selection.packages)?;
    build_all(project, &packages, selection)
}

/// Builds the components of `packages`.
///
/// # Errors
///
/// If a package doesn't compile, or its component has no functions.
pub fn build_all(
    project: &Project,
    packages: &[&Package],
    selection: &Selection,
) -> Result<Vec<Built>> {
    let components = project.components();
    packages
        .iter()
        .map(|package| {
            if let Some(command) = command_of(project, package)? {
                create_directory(&components)?;
                return run_unless_unchanged(&components, package, &command);
            }
            let module = compile(project, package, selection)?;
            create_directory(&components)?;
            componentize_unless_unchanged(&components, package, &module)
        })
        .collect()
}

/// Returns the command that builds the component of `package`, if the package states one.
fn command_of(project: &Project, package: &Package) -> Result<Option<BuildCommand>> {
    if project.builds_by_command(package) { BuildCommand::of(package) } else { Ok(None) }
}

/// Creates the directory of the components, in a target directory that is tagged as a cache, as cargo's is.
fn create_directory(components: &Path) -> Result<()> {
    fs::create_dir_all(components).map_err(|error| write_error(components, error))?;
    let tag = components.with_file_name("CACHEDIR.TAG");
    if !tag.exists() {
        write(&tag, CACHE_TAG)?;
    }
    Ok(())
}

/// Runs the command that builds the component of `package`, unless that of an earlier build is up to date, and
/// precompiles it.
fn run_unless_unchanged(
    components: &Path,
    package: &Package,
    command: &BuildCommand,
) -> Result<Built> {
    let path = components.join(format!("{}.wasm", package.name));
    let inputs = command.inputs(package)?;
    write_sources(&path, inputs.files())?;
    let stamp = command.stamp(&inputs);
    let existing = existing(&path, &stamp);
    let fresh = existing.is_some();
    let component = match existing {
        Some(component) => component,
        None => {
            let scratch = tempfile::tempdir_in(components);
            let scratch = scratch.map_err(|error| write_error(components, error))?;
            let component = command.run(package, scratch.path())?;
            replace(&path, &component, &stamp)?;
            component
        }
    };
    // Programs reject a component that is older than its sources, also if their contents are the same.
    touch_if_older(&path, inputs.files())?;
    component.precompile()?;
    built(package, path, &component, fresh)
}

/// Sets the time of the last modification of `path` to now, if one of `sources` is newer.
fn touch_if_older(path: &Path, sources: &[PathBuf]) -> Result<()> {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let built = modified(path);
    if !sources.iter().any(|source| modified(source) > built) {
        return Ok(());
    }
    let file = fs::File::options().append(true).open(path);
    file.and_then(|file| file.set_modified(SystemTime::now()))
        .map_err(|error| write_error(path, error))
}

/// Writes the component of `module`, unless that of an earlier build is up to date, and precompiles it.
fn componentize_unless_unchanged(
    components: &Path,
    package: &Package,
    module: &Module,
) -> Result<Built> {
    let path = components.join(format!("{}.wasm", package.name));
    let bytes = fs::read(&module.path).map_err(|error| {
        Error::machinery(format!("cannot read {}", module.path.display())).because(error)
    })?;
    write_sources(&path, &module.sources)?;
    let stamp = stamp(&bytes);
    let existing = if module.fresh { existing(&path, &stamp) } else { None };
    let fresh = existing.is_some();
    let component = match existing {
        Some(component) => component,
        None => {
            let component = componentize(&package.name, &bytes)?;
            replace(&path, &component, &stamp)?;
            component
        }
    };
    // Precompiles now: in a debug build, the submitting program's own Cranelift is slow.
    component.precompile()?;
    built(package, path, &component, fresh)
}

/// Returns the component of an earlier build at `path`, if it has this stamp.
fn existing(path: &Path, stamp: &str) -> Option<Component> {
    let unchanged = fs::read_to_string(path.with_extension("stamp")).is_ok_and(|old| old == stamp);
    if unchanged { Component::open(path).ok() } else { None }
}

/// Writes a component and its stamp.
fn replace(path: &Path, component: &Component, stamp: &str) -> Result<()> {
    write(path, component.bytes())?;
    write(&path.with_extension("stamp"), stamp.as_bytes())
}

/// Writes the list of the sources of the component at `path`, with absolute paths: an unchanged component has other ones
/// after its workspace has moved.
fn write_sources(path: &Path, sources: &[PathBuf]) -> Result<()> {
    let sources: Vec<_> = sources.iter().map(|path| path.to_string_lossy()).collect();
    write(&path.with_extension("sources"), sources.join("\n").as_bytes())
}

fn built(package: &Package, path: PathBuf, component: &Component, fresh: bool) -> Result<Built> {
    let exported = component.wit_functions()?.iter();
    Ok(Built {
        package: package.name.to_string(),
        path,
        digest: component.digest(),
        size: component.bytes().len() as u64,
        functions: component.functions().to_vec(),
        wit_functions: exported.map(|function| function.reference().to_string()).collect(),
        is_program: component.is_program(),
        fresh,
    })
}

/// Returns the stamp of a component: this version and the digest of the core module. Equal stamps mean equal
/// components.
fn stamp(module: &[u8]) -> String {
    format!("{} {}\n", env!("CARGO_PKG_VERSION"), Digest::of(module))
}

/// Writes a file atomically: another process may be opening it.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(path);
    let write = || {
        let mut file = with_umask_permissions().tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error: std::io::Error| write_error(path, error))
}

/// Returns a builder of temporary files whose permissions follow the user's umask, as those of regular files do.
fn with_umask_permissions() -> tempfile::Builder<'static, 'static> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has permissions to set"))]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

fn write_error(path: &Path, error: std::io::Error) -> Error {
    Error::machinery(format!("cannot write {}", path.display())).because(error)
}
