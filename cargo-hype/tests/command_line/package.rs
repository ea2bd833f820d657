//! Writes packages outside of hype's workspace.

use std::fs;
use std::path::{Path, PathBuf};

use crate::hype::workspace;

/// A package with a library, written for a test.
pub(crate) struct Package {
    directory: PathBuf,
}

impl Package {
    /// Writes the package `name` with `library` as its src/lib.rs, in a directory with a space in its path.
    ///
    /// The path of a package is the same in each run, so that cargo reuses its target directory.
    pub(crate) fn write(name: &str, library: &str) -> Self {
        Self::write_with(name, library, &format!("{}, default-features = false", hype()), "")
    }

    /// Writes the package `name` with the program `main`.
    ///
    /// The package has the profiles of hype's workspace, so that builds reuse the dependencies in the workspace's
    /// target directory.
    pub(crate) fn write_program(name: &str, library: &str, main: &str) -> Self {
        let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
        let (_, profiles) = manifest.split_once("[profile.dev]\n").unwrap();
        Self::write_with(name, library, &hype(), &format!("[profile.dev]\n{profiles}"))
            .with_file("src/main.rs", main)
    }

    fn write_with(name: &str, library: &str, hype: &str, profiles: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("written packages").join(name);
        let manifest = format!(
            "[package]\n\
             name = \"{name}\"\n\
             version = \"1.0.0\"\n\
             edition = \"2024\"\n\
             \n\
             [dependencies]\n\
             hype = {{ {hype} }}\n\
             \n\
             # Not a member of any other workspace.\n\
             [workspace]\n\
             {profiles}"
        );
        let package = Self { directory };
        let package = package.with_file("Cargo.toml", &manifest).with_file("src/lib.rs", library);
        // The versions of hype's workspace are downloaded already.
        fs::copy(workspace().join("Cargo.lock"), package.directory.join("Cargo.lock")).unwrap();
        package
    }

    /// Renames the dependency hype to `name`.
    pub(crate) fn with_hype_called(self, name: &str) -> Self {
        let manifest = fs::read_to_string(self.directory.join("Cargo.toml")).unwrap();
        let renamed = manifest.replace("\nhype = {", &format!("\n{name} = {{"));
        self.with_file("Cargo.toml", &renamed)
    }

    /// Returns the directory of the package.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a file of the package.
    pub(crate) fn with_file(self, path: &str, text: &str) -> Self {
        let path = self.directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Adds a dependency `name`, whose `src/lib.rs` is `library`.
    pub(crate) fn with_dependency(self, name: &str, library: &str) -> Self {
        let manifest = fs::read_to_string(self.directory.join("Cargo.toml")).unwrap();
        let dependency = format!("[dependencies]\n{name} = {{ path = \"{name}\" }}\n");
        self.with_file("Cargo.toml", &manifest.replace("[dependencies]\n", &dependency))
            .with_file(&format!("{name}/Cargo.toml"), &manifest_of(name, ""))
            .with_file(&format!("{name}/src/lib.rs"), library)
    }

    /// Adds a dependency `name` that depends on hype and defines functions.
    pub(crate) fn with_definer(self, name: &str, library: &str) -> Self {
        let dependency = format!("hype = {{ {} }}\n", hype());
        self.with_dependency(name, library)
            .with_file(&format!("{name}/Cargo.toml"), &manifest_of(name, &dependency))
    }
}

/// Returns the manifest of a dependency.
pub(crate) fn manifest_of(name: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"2024\"\n\n\
         [dependencies]\n{dependencies}"
    )
}

/// Returns the content of the dependency on hype in a manifest.
fn hype() -> String {
    // A JSON string is also a TOML string.
    let host = serde_json::to_string(&workspace().join("host")).unwrap();
    format!("package = \"spotify-hype\", path = {host}")
}

/// Returns the target directory that written packages share, so that hype is compiled once.
pub(crate) fn target_directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cargo-hype")
}
