//! A new package that builds, runs and tests as it is.

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};
use clap::Args;

use crate::error::{Error, Result};
use crate::profile;
use crate::project::{HYPE_PACKAGE, unreadable};
use crate::template::{self, Hype};
use crate::tool;

/// Which package to make, and where it finds hype.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo hype new greeting && cd greeting && cargo hype run")]
pub struct NewOptions {
    /// The package, and the directory to make for it
    #[arg(value_name = "NAME")]
    path: PathBuf,
    /// A clone of hype to depend on [default: the one around here, else hype's repository]
    #[arg(long, value_name = "DIR")]
    hype_path: Option<PathBuf>,
}

/// A package that was made.
#[derive(Debug)]
pub struct New {
    /// Its name.
    pub name: String,
    /// The workspace that it is a member of, but for one of its own.
    pub workspace: Option<PathBuf>,
    /// Lines that the workspace's manifest lacks, without which components compile slowly.
    pub profile: Option<String>,
    /// What to type to run it.
    pub next: String,
}

/// Makes the package.
///
/// # Errors
///
/// When it cannot have that name, or cannot be made there.
pub fn new(options: &NewOptions) -> Result<New> {
    let path = &options.path;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let clone = options.hype_path.as_deref().map(hype_of).transpose()?;
    check(path, &name)?;
    cargo_new(path, &name)?;
    let directory = path.canonicalize().map_err(|error| unwritten(path, error))?;
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

/// Refuses what cargo would let pass or would only warn of, before anything is made.
fn check(path: &Path, name: &str) -> Result<()> {
    if path.exists() {
        return Err(Error::input(format!("{} exists already", path.display())).hint(
            "choose another name; a package that is there needs hype in its [dependencies]",
        ));
    }
    if let Some(reason) = unusable(name) {
        return Err(unnamed(name, reason));
    }
    let here = std::env::current_dir()
        .map_err(|error| Error::machinery("there is no working directory").because(error))?;
    let place = here.join(path);
    let around = place.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(&here);
    let in_workspace = around.ancestors().any(|ancestor| ancestor.join("Cargo.toml").exists());
    if in_workspace && let Some(other) = member(&packages_at(around)?, name) {
        return Err(Error::input(format!(
            "the workspace has a package `{name}` already, at {}",
            other.display()
        ))
        .hint("choose another name"));
    }
    Ok(())
}

/// Why a package of this name would not compile, beyond cargo's own reasons.
fn unusable(name: &str) -> Option<&'static str> {
    match name.replace('-', "_").as_str() {
        "" => Some("it is empty"),
        "_" | "gen" => Some("it is a word of Rust's"),
        "alloc" | "core" | "proc_macro" | "std" => Some("a library of Rust's is called so"),
        "hype" | "spotify_hype" => Some("the library that it depends on is called so"),
        name if !name.is_ascii() => Some("a crate's name is ASCII"),
        _ => None,
    }
}

fn unnamed(name: &str, reason: &str) -> Error {
    Error::input(format!("a package cannot be called `{name}`"))
        .because(reason)
        .hint("choose a name of letters, digits, - and _, e.g. greeting")
}

/// cargo makes the package, a member of the workspace that it stands in, and knows what names are.
fn cargo_new(path: &Path, name: &str) -> Result<()> {
    let output = tool::cargo()
        // Names that no program can have are refused.
        .args(["new", "--bin", "--vcs", "none", "--color", "never", "--"])
        .arg(path)
        .output()
        .map_err(|error| Error::machinery("cannot run cargo").because(error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = |start: &'static str| said.lines().filter(move |line| line.starts_with(start));
    if output.status.success() {
        lines("warning: ").for_each(|line| eprintln!("{line}"));
        return Ok(());
    }
    let reason = lines("error: ").next().unwrap_or_default().trim_start_matches("error: ");
    if blames_name(reason) {
        return Err(unnamed(name, reason));
    }
    eprintln!("{}", said.trim_end());
    Err(Error::machinery(format!("cargo cannot make a package at {}", path.display()))
        .hint("what cargo says above is why"))
}

/// Returns whether cargo refuses the package's name. Cargo's status is the same for all errors, so the text decides.
fn blames_name(reason: &str) -> bool {
    reason.contains("package name")
}

/// The packages of the workspace around `directory`, without those that they depend on.
fn packages_at(directory: &Path) -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    tool::metadata(command.no_deps(), directory).map_err(|error| unreadable(directory, error))
}

/// The directory of the package `name`, if it is one of them.
fn member(metadata: &Metadata, name: &str) -> Option<PathBuf> {
    let packages = metadata.workspace_packages();
    let package = packages.into_iter().find(|package| package.name == name)?;
    package.manifest_path.as_std_path().parent()?.canonicalize().ok()
}

/// The directory of hype's package in the clone at `path`.
fn hype_of(path: &Path) -> Result<PathBuf> {
    let name = format!("name = \"{HYPE_PACKAGE}\"");
    let is_hype = |directory: &PathBuf| {
        fs::read_to_string(directory.join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.lines().any(|line| line == name))
    };
    let found = [path.join("host"), path.to_owned()].into_iter().find(is_hype);
    found.and_then(|directory| directory.canonicalize().ok()).ok_or_else(|| {
        Error::input(format!("{} is no clone of hype", path.display())).hint(format!(
            "get one: git clone {}, and give its directory",
            env!("CARGO_PKG_REPOSITORY")
        ))
    })
}

fn missing_profile(root: &Path) -> Result<Option<String>> {
    let path = root.join("Cargo.toml");
    let manifest = fs::read_to_string(&path).map_err(|error| unread(&path, error))?;
    let manifest = manifest.parse().map_err(|error: toml::de::Error| unread(&path, error))?;
    Ok(profile::missing(&manifest))
}

fn write(directory: &Path, name: &str, hype: &Hype, is_root: bool) -> Result<()> {
    let manifest_path = directory.join("Cargo.toml");
    let cargos =
        fs::read_to_string(&manifest_path).map_err(|error| unread(&manifest_path, error))?;
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
        fs::write(&path, text).map_err(|error| unwritten(&path, error))?;
    }
    Ok(())
}

fn is_in_repository(directory: &Path) -> bool {
    let marks = [".git", ".hg", ".jj"];
    directory.ancestors().any(|ancestor| marks.iter().any(|mark| ancestor.join(mark).exists()))
}

fn unread(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::machinery(format!("cannot read {}", path.display())).because(error)
}

fn unwritten(path: &Path, error: std::io::Error) -> Error {
    Error::machinery(format!("cannot write {}", path.display())).because(error)
}
