//! Search for the component of a package whose functions the program calls.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use crate::call::component::Component;
use crate::call::embedded;
use crate::error::{Error, Result};

/// The environment variable that names a directory with components.
const COMPONENT_DIR: &str = "HYPE_COMPONENT_DIR";

/// Files that mark a target directory. Cargo creates at least one of them.
const TARGET_MARKERS: [&str; 2] = [".rustc_info.json", "CACHEDIR.TAG"];

/// Returns the component of `package`. The program searches for it once, and then uses the same component until it
/// ends.
pub(crate) fn component_of(package: &str) -> Result<Component> {
    static FOUND: LazyLock<Mutex<HashMap<String, Component>>> = LazyLock::new(Mutex::default);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(component) = found.get(package) {
        return Ok(component.clone());
    }
    let named = std::env::var_os(COMPONENT_DIR);
    let component = match embedded::component_of(package)? {
        Some(component) => {
            if named.is_some() {
                tracing::info!(
                    "{} is inside the program: {COMPONENT_DIR} is not used",
                    component.name()
                );
            }
            component
        }
        None => search(package, named, &std::env::current_exe().unwrap_or_default())?,
    };
    found.insert(package.to_owned(), component.clone());
    Ok(component)
}

fn search(package: &str, directory: Option<OsString>, executable: &Path) -> Result<Component> {
    let candidates = candidates(package, directory, executable);
    let Some(found) = candidates.iter().find(|candidate| candidate.path.exists()) else {
        let tried: String = candidates
            .iter()
            .map(|candidate| format!("\n   {}", candidate.path.display()))
            .collect();
        return Err(Error::input(format!(
            "the component of package {package} isn't there; tried:{tried}"
        ))
        .hint(format!(
            "build it: cargo hype build -p {package}; or the program with it inside, for any \
             directory: cargo hype build --embed"
        )));
    };
    if found.is_in_target {
        check_fresh(package, &found.path)?;
    }
    Component::open(&found.path)
}

/// A path at which a component may be.
struct Candidate {
    path: PathBuf,
    /// Whether the path is in the output directory of `cargo hype build`, which also has a list of each component's
    /// sources.
    is_in_target: bool,
}

/// Returns the candidates, in the order in which they are tried.
fn candidates(package: &str, directory: Option<OsString>, executable: &Path) -> Vec<Candidate> {
    let file = format!("{package}.wasm");
    let candidate =
        |directory: &Path, is_in_target| Candidate { path: directory.join(&file), is_in_target };
    let named = directory.map(|directory| candidate(Path::new(&directory), false));
    let beside_executable = executable.parent().map(|directory| candidate(directory, false));
    let in_target = executable
        .ancestors()
        .find(|ancestor| TARGET_MARKERS.iter().any(|file| ancestor.join(file).exists()))
        .map(|target| candidate(&target.join("hype"), true));
    named.into_iter().chain(beside_executable).chain(in_target).collect()
}

/// Rejects a component that is older than one of its sources, since its functions may be outdated.
fn check_fresh(package: &str, component: &Path) -> Result<()> {
    let Ok(sources) = std::fs::read_to_string(component.with_extension("sources")) else {
        return Ok(());
    };
    let built = modified(component);
    let newer = sources.lines().find(|source| modified(Path::new(source)) > built);
    match newer {
        None => Ok(()),
        Some(source) => Err(Error::input(format!(
            "{} is older than {source}, of which it was made",
            component.display()
        ))
        .hint(format!("build it again: cargo hype build -p {package}"))),
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    fn target() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("target/debug/deps")).unwrap();
        fs::create_dir_all(root.path().join("target/hype")).unwrap();
        fs::write(root.path().join("target/CACHEDIR.TAG"), "").unwrap();
        let executable = root.path().join("target/debug/deps/program");
        (root, executable)
    }

    #[test]
    fn missing_component_error_lists_tried_paths() {
        let (root, executable) = target();
        let error = search("greet", Some("/named".into()), &executable).unwrap_err().to_string();
        let root = root.path().display();
        assert_eq!(
            error,
            format!(
                "the component of package greet isn't there; tried:\n   /named/greet.wasm\n   \
                 {root}/target/debug/deps/greet.wasm\n   {root}/target/hype/greet.wasm"
            )
        );
    }

    #[test]
    fn named_directory_takes_precedence() {
        let (root, executable) = target();
        let named = tempfile::tempdir().unwrap();
        for directory in [named.path(), &root.path().join("target/hype")] {
            fs::write(directory.join("greet.wasm"), COMPONENT).unwrap();
        }
        fs::write(named.path().join("greet.wasm"), "not a component").unwrap();
        assert!(search("greet", None, &executable).is_ok());
        assert!(search("greet", Some(named.path().into()), &executable).is_err());
    }

    #[test]
    fn component_older_than_its_sources_is_rejected() {
        let (root, executable) = target();
        let (source, component) =
            (root.path().join("lib.rs"), root.path().join("target/hype/greet.wasm"));
        fs::write(&source, "").unwrap();
        fs::write(&component, COMPONENT).unwrap();
        fs::write(component.with_extension("sources"), source.to_str().unwrap()).unwrap();
        assert!(search("greet", None, &executable).is_ok());
        let later = SystemTime::now() + Duration::from_secs(10);
        fs::File::options().append(true).open(&source).unwrap().set_modified(later).unwrap();
        let error = search("greet", None, &executable).unwrap_err();
        assert!(error.to_string().contains("is older than"), "{error}");
        assert!(error.report().contains("cargo hype build -p greet"), "{error:?}");
    }
}
