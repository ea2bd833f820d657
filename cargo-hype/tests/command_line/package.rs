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
        Self::of_manifest(name, library, &format!("{}, default-features = false", hype()), "")
    }

    /// The same with `main` as its src/main.rs, and with the profiles of our workspace: in its target
    /// directory most of what the program needs is there already.
    pub(crate) fn write_program(name: &str, library: &str, main: &str) -> Self {
        let ours = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
        let (_, profiles) = ours.split_once("[profile.dev]\n").unwrap();
        Self::of_manifest(name, library, &hype(), &format!("[profile.dev]\n{profiles}"))
            .with_file("src/main.rs", main)
    }

    fn of_manifest(name: &str, library: &str, hype: &str, profiles: &str) -> Self {
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
             # A workspace of its own, wherever it stands.\n\
             [workspace]\n\
             {profiles}"
        );
        let package = Self { directory };
        let package = package.with_file("Cargo.toml", &manifest).with_file("src/lib.rs", library);
        // The same versions as ours, which are there already.
        fs::copy(workspace().join("Cargo.lock"), package.directory.join("Cargo.lock")).unwrap();
        package
    }

    /// The same, whose dependency hype is called `name`.
    pub(crate) fn with_hype_called(self, name: &str) -> Self {
        let manifest = fs::read_to_string(self.directory.join("Cargo.toml")).unwrap();
        let renamed = manifest.replace("\nhype = {", &format!("\n{name} = {{"));
        self.with_file("Cargo.toml", &renamed)
    }

    /// Where it stands.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes one more of its files.
    pub(crate) fn with_file(self, path: &str, text: &str) -> Self {
        let path = self.directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Lets it depend on a package of its own, whose `src/lib.rs` is `library`.
    pub(crate) fn with_dependency(self, name: &str, library: &str) -> Self {
        let manifest = fs::read_to_string(self.directory.join("Cargo.toml")).unwrap();
        let dependency = format!("[dependencies]\n{name} = {{ path = \"{name}\" }}\n");
        self.with_file("Cargo.toml", &manifest.replace("[dependencies]\n", &dependency))
            .with_file(&format!("{name}/Cargo.toml"), &manifest_of(name, ""))
            .with_file(&format!("{name}/src/lib.rs"), library)
    }

    /// The same for one that defines functions.
    pub(crate) fn with_definer(self, name: &str, library: &str) -> Self {
        let dependency = format!("hype = {{ {} }}\n", hype());
        self.with_dependency(name, library)
            .with_file(&format!("{name}/Cargo.toml"), &manifest_of(name, &dependency))
    }
}

/// The manifest of a dependency.
pub(crate) fn manifest_of(name: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"2024\"\n\n\
         [dependencies]\n{dependencies}"
    )
}

/// How a package depends on hype.
fn hype() -> String {
    // A string of JSON is one of TOML too.
    let host = serde_json::to_string(&workspace().join("host")).unwrap();
    format!("package = \"spotify-hype\", path = {host}")
}

/// The target directory of all of them, so that hype is compiled for them once.
pub(crate) fn target_directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cargo-hype")
}
