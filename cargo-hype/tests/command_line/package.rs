//! Packages that tests write, which belong to no workspace of ours.

use std::fs;
use std::path::{Path, PathBuf};

use crate::hype::workspace;

/// A package with a library, written anew for a test.
pub(crate) struct Package {
    directory: PathBuf,
}

impl Package {
    /// The package `name` with `library` as its src/lib.rs, in a directory with a space in its path.
    ///
    /// It always stands at the same place, so that cargo replaces what it made of it before.
    pub(crate) fn write(name: &str, library: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("written packages").join(name);
        let host = workspace().join("host");
        // A string of JSON is one of TOML too.
        let host = serde_json::to_string(&host).unwrap();
        let manifest = format!(
            "[package]\n\
             name = \"{name}\"\n\
             version = \"1.0.0\"\n\
             edition = \"2024\"\n\
             \n\
             [dependencies]\n\
             hype = {{ package = \"spotify-hype\", path = {host}, default-features = false }}\n\
             \n\
             # A workspace of its own, wherever it stands.\n\
             [workspace]\n"
        );
        fs::create_dir_all(directory.join("src")).unwrap();
        fs::write(directory.join("Cargo.toml"), manifest).unwrap();
        fs::write(directory.join("src/lib.rs"), library).unwrap();
        // The same versions as ours, which are there already.
        fs::copy(workspace().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
        Self { directory }
    }

    /// Where it stands.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes one more of its files.
    pub(crate) fn with_file(self, path: &str, text: &str) -> Self {
        fs::write(self.directory.join(path), text).unwrap();
        self
    }
}

/// The target directory of all of them, so that hype is compiled for them once.
pub(crate) fn target_directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cargo-hype")
}
