//! Creates a package whose program and test run without changes.

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};
use clap::Args;

use crate::error::{Error, Result};
use crate::print::print_note;
use crate::profile;
use crate::project::{HYPE_PACKAGE, metadata_error};
use crate::template::{self, Hype};
use crate::tool;

/// The package to create, and the location of hype.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo hype new greeting && cd greeting && cargo hype run")]
pub struct NewOptions {
    /// The name of the package, or the path of its new directory
    #[arg(value_name = "NAME")]
    path: PathBuf,
    /// A clone of hype to depend on [default: the clone around this directory, else hype's repository]
    #[arg(long, value_name = "DIR")]
    hype_path: Option<PathBuf>,
}

/// A new package.
#[derive(Debug)]
pub struct New {
    /// The name.
    pub name: String,
    /// The root of the workspace that the package joined; `None` if the package is its own root.
    pub workspace: Option<PathBuf>,
    /// Lines that the workspace's manifest lacks, without which components compile slowly.
    pub profile: Option<String>,
    /// The shell command that runs the package's program.
    pub next: String,
}

/// Creates the package.
///
/// # Errors
///
/// If the name is invalid or taken, or the files cannot be written.
pub fn new(options: &NewOptions) -> Result<New> {
    let path = &options.path;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let clone = options.hype_path.as_deref().map(find_hype).transpose()?;
    check(path, &name)?;
    cargo_new(path, &name)?;
    let directory = path.canonicalize().map_err(|error| write_error(path, error))?;
    let metadata = packages_at(&directory)?;
    let root = metadata.workspace_root.as_std_path();
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let is_root = root == directory;
    let keeps_path = options.hype_path.as_ref().is_some_and(|path| path.is_absolute());
    let hype = match clone.or_else(|| member(&metadata, HYPE_PACKAGE)) {
        None => Hype::Repository,
        Some(clone) if keeps_path => Hype::Path(clone),
        Some(clone) => Hype::Path(template::relative(&directory, &clone)),
    };
    write(&directory, &name, &hype, is_root)?;
    let profile = if is_root { None } else { missing_profile(&root)? };
    let is_inside = std::env::current_dir().is_ok_and(|current| current.starts_with(&root));
    let next = if is_inside && !is_root {
        format!("cargo hype run -p {name}")
    } else {
        format!("cd {} && cargo hype run", path.display())
    };
    Ok(New { name, workspace: (!is_root).then_some(root), profile, next })
}

/// Rejects names that cargo would accept or only warn of, before any file is written.
fn check(path: &Path, name: &str) -> Result<()> {
    if path.exists() {
        return Err(Error::input(format!("{} exists already", path.display()))
            .hint("choose another name; an existing package needs hype in its [dependencies]"));
    }
    if let Some(reason) = invalid_name_reason(name) {
        return Err(name_error(name, reason));
    }
    let here = std::env::current_dir()
        .map_err(|error| Error::machinery("there is no working directory").because(error))?;
    let target = here.join(path);
    let around = target.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(&here);
    let in_workspace = around.ancestors().any(|ancestor| ancestor.join("Cargo.toml").exists());
    if in_workspace && let Some(other) = member(&packages_at(around)?, name) {
        return Err(Error::input(format!(
            "the workspace already has a package `{name}`, at {}",
            other.display()
        ))
        .hint("choose another name"));
    }
    Ok(())
}

/// Returns the reason why a package of this name would not compile, beyond those that cargo checks.
fn invalid_name_reason(name: &str) -> Option<&'static str> {
    match name.replace('-', "_").as_str() {
        "" => Some("it is empty"),
        "_" | "gen" => Some("it is a Rust keyword"),
        "alloc" | "core" | "proc_macro" | "std" => Some("it is the name of a crate of Rust"),
        "hype" | "spotify_hype" => Some("it is the name of the package's dependency hype"),
        name if !name.is_ascii() => Some("the name of a crate is ASCII"),
        _ => None,
    }
}

fn name_error(name: &str, reason: &str) -> Error {
    Error::input(format!("a package cannot be called `{name}`"))
        .because(reason)
        .hint("choose a name of letters, digits, - and _, e.g. greeting")
}

/// Runs `cargo new`, which checks the name and adds the package to the workspace around it.
fn cargo_new(path: &Path, name: &str) -> Result<()> {
    let output = tool::cargo()
        // With `--bin`, cargo also rejects names that no program can have.
        .args(["new", "--bin", "--vcs", "none", "--color", "never", "--"])
        .arg(path)
        .output()
        .map_err(|error| Error::machinery("cannot run cargo").because(error))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines = |start: &'static str| stderr.lines().filter(move |line| line.starts_with(start));
    if output.status.success() {
        lines("warning: ").for_each(print_note);
        return Ok(());
    }
    let reason = lines("error: ").next().unwrap_or_default().trim_start_matches("error: ");
    if blames_name(reason) {
        return Err(name_error(name, reason));
    }
    print_note(stderr.trim_end());
    Err(Error::machinery(format!("cargo cannot create a package at {}", path.display()))
        .hint("see cargo's errors above"))
}

/// Returns whether cargo rejects the package's name. cargo's exit status is the same for all errors, so the text
/// decides.
fn blames_name(reason: &str) -> bool {
    reason.contains("package name")
}

/// Returns the members of the workspace around `directory`, without their dependencies.
fn packages_at(directory: &Path) -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    tool::metadata(command.no_deps(), directory).map_err(|error| metadata_error(directory, error))
}

/// Returns the directory of the workspace's member `name`, if it exists.
fn member(metadata: &Metadata, name: &str) -> Option<PathBuf> {
    let packages = metadata.workspace_packages();
    let package = packages.into_iter().find(|package| package.name == name)?;
    package.manifest_path.as_std_path().parent()?.canonicalize().ok()
}

/// Returns the directory of hype's package in the clone at `path`.
fn find_hype(path: &Path) -> Result<PathBuf> {
    let name = format!("name = \"{HYPE_PACKAGE}\"");
    let is_hype = |directory: &PathBuf| {
        fs::read_to_string(directory.join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.lines().any(|line| line == name))
    };
    let found = [path.join("host"), path.to_owned()].into_iter().find(is_hype);
    found.and_then(|directory| directory.canonicalize().ok()).ok_or_else(|| {
        Error::input(format!("{} is not a clone of hype", path.display()))
            .hint(format!("run git clone {}, and pass its directory", env!("CARGO_PKG_REPOSITORY")))
    })
}

fn missing_profile(root: &Path) -> Result<Option<String>> {
    let path = root.join("Cargo.toml");
    let manifest = fs::read_to_string(&path).map_err(|error| read_error(&path, error))?;
    let manifest = manifest.parse().map_err(|error: toml::de::Error| read_error(&path, error))?;
    Ok(profile::missing(&manifest))
}

fn write(directory: &Path, name: &str, hype: &Hype, is_root: bool) -> Result<()> {
    let manifest_path = directory.join("Cargo.toml");
    let cargos =
        fs::read_to_string(&manifest_path).map_err(|error| read_error(&manifest_path, error))?;
    let mut files = vec![
        ("Cargo.toml", template::manifest(&cargos, hype, is_root)),
        ("src/lib.rs", template::LIBRARY.to_owned()),
        ("src/main.rs", template::program(name)),
    ];
    if !is_in_repository(directory) {
        files.push((".gitignore", "/target\n".to_owned()));
    }
    for (file, text) in files {
        let path = directory.join(file);
        fs::write(&path, text).map_err(|error| write_error(&path, error))?;
    }
    Ok(())
}

fn is_in_repository(directory: &Path) -> bool {
    let markers = [".git", ".hg", ".jj"];
    directory
        .ancestors()
        .any(|ancestor| markers.iter().any(|marker| ancestor.join(marker).exists()))
}

fn read_error(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::machinery(format!("cannot read {}", path.display())).because(error)
}

fn write_error(path: &Path, error: std::io::Error) -> Error {
    Error::machinery(format!("cannot write {}", path.display())).because(error)
}
