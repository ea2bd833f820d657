//! The files of a new package: a function, a test of it, and a program that submits it.

use std::path::{Component, Path, PathBuf};

use crate::profile::PROFILE;
use crate::project::HYPE_PACKAGE;

/// The location of hype in a dependency.
#[derive(Debug, Clone)]
pub(crate) enum Hype {
    /// The repository that this command was built from.
    Repository,
    /// A local directory.
    Path(PathBuf),
}

impl Hype {
    /// Returns the line of a manifest that adds the dependency.
    pub(crate) fn dependency(&self) -> String {
        let (key, location) = match self {
            Self::Repository => ("git", env!("CARGO_PKG_REPOSITORY").to_owned()),
            Self::Path(path) => ("path", path.to_string_lossy().into_owned()),
        };
        // A JSON string is also a TOML string.
        let location = serde_json::Value::from(location);
        format!("hype = {{ {key} = {location}, package = \"{HYPE_PACKAGE}\" }}")
    }
}

/// Returns the `manifest` that cargo wrote for a new package, with hype as a dependency.
///
/// Appends the profile if the package is a workspace root; cargo ignores the profiles of members.
pub(crate) fn manifest(manifest: &str, hype: &Hype, is_root: bool) -> String {
    let heading = "[dependencies]\n";
    let (before, after) = manifest.split_once(heading).unwrap_or((manifest, ""));
    let profile = if is_root { PROFILE } else { "" };
    format!("{before}{heading}{}\n{after}{profile}", hype.dependency())
}

/// The file `src/lib.rs`.
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
    fn greet_includes_the_name() {
        assert_eq!(greet::call("world".into()), "Hello world!");
    }
}
"#;

/// Returns the file `src/main.rs` of the package `name`.
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

/// Returns the relative path from the directory `from` to `to`, both canonical.
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
    fn template_manifest_has_hype_as_a_dependency() {
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
    fn relative_path_goes_up_to_the_common_directory() {
        let path = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(path("/a/b", "/a/host"), Path::new("../host"));
        assert_eq!(path("/a/b/c", "/a"), Path::new("../.."));
        assert_eq!(path("/a", "/a/b"), Path::new("b"));
    }
}
