//! The files of a new package: a function, a test of it, and a program that runs it elsewhere.

use std::path::{Component, Path, PathBuf};

use crate::profile::PROFILE;
use crate::project::HYPE_PACKAGE;

/// Where a package finds hype.
#[derive(Debug, Clone)]
pub(crate) enum Hype {
    /// In the repository that this command was made of.
    Repository,
    /// In a directory.
    Path(PathBuf),
}

impl Hype {
    /// The line of a manifest that depends on it.
    pub(crate) fn dependency(&self) -> String {
        let (kind, place) = match self {
            Self::Repository => ("git", env!("CARGO_PKG_REPOSITORY").to_owned()),
            Self::Path(path) => ("path", path.to_string_lossy().into_owned()),
        };
        // A string of JSON is one of TOML too.
        let place = serde_json::Value::from(place);
        format!("hype = {{ {kind} = {place}, package = \"{HYPE_PACKAGE}\" }}")
    }
}

/// cargo's `manifest` of a new package, with hype to depend on.
///
/// Only the root of a workspace has profiles, and so they are written where it is one itself.
pub(crate) fn manifest(manifest: &str, hype: &Hype, is_root: bool) -> String {
    let heading = "[dependencies]\n";
    let (before, after) = manifest.split_once(heading).unwrap_or((manifest, ""));
    let profile = if is_root { PROFILE } else { "" };
    format!("{before}{heading}{}\n{after}{profile}", hype.dependency())
}

/// The file src/lib.rs.
pub(crate) const LIBRARY: &str = r#"//! Functions that hype runs elsewhere.

/// Greets `name`.
#[hype::function]
pub fn greet(name: String) -> String {
    format!("Hello {name}!")
}

#[cfg(test)]
mod tests {
    use super::greet;

    #[test]
    fn the_name_is_greeted() {
        assert_eq!(greet::call("world".into()), "Hello world!");
    }
}
"#;

/// The file src/main.rs of the package `name`.
pub(crate) fn program(name: &str) -> String {
    let library = name.replace('-', "_");
    format!(
        r#"//! Runs `greet` elsewhere and prints the greeting.

use {library}::greet;

#[hype::main]
async fn main() -> hype::Result<()> {{
    let greeting = greet("world".into()).await?;
    println!("{{greeting}}");
    Ok(())
}}
"#
    )
}

/// The way from the directory `from` to `to`, both absolute and without links.
pub(crate) fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(one, other)| one == other);
    let shared = shared.count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hype_goes_among_the_dependencies() {
        let cargos = "[package]\nname = \"a\"\n\n[dependencies]\n\n[lints]\nworkspace = true\n";
        let hype = Hype::Path("../host".into());
        assert_eq!(
            manifest(cargos, &hype, false),
            "[package]\nname = \"a\"\n\n[dependencies]\n\
             hype = { path = \"../host\", package = \"spotify-hype\" }\n\
             \n[lints]\nworkspace = true\n"
        );
        assert!(manifest(cargos, &hype, true).ends_with("\nwasmtime.opt-level = 1\n"));
    }

    #[test]
    fn ways_go_up_to_what_is_shared() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(way("/a/b", "/a/host"), Path::new("../host"));
        assert_eq!(way("/a/b/c", "/a"), Path::new("../.."));
        assert_eq!(way("/a", "/a/b"), Path::new("b"));
    }
}
