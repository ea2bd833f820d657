//! The workspace as the checks see it: its packages, and the text files that are kept in git.

use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package};

/// A text file of the workspace.
pub(crate) struct File {
    /// From the root of the workspace, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Whether it is test code as a whole.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests")
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the root of the workspace is two directories up")
}

/// What cargo knows of the packages, with every feature enabled.
pub(crate) fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .exec()
        .expect("cargo metadata")
}

/// Whether `package` is for users, and not an example or a test.
pub(crate) fn is_published(package: &Package) -> bool {
    package.publish.as_ref().is_none_or(|registries| !registries.is_empty())
}

/// Whether a dependency of this kind becomes part of what is built.
pub(crate) fn is_built_in(kind: DependencyKind) -> bool {
    kind != DependencyKind::Development
}

/// The text files with one of these extensions that are in git, or would be with the next commit.
pub(crate) fn files(extensions: &[&str]) -> Vec<File> {
    let root = root();
    let listed = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .args(["--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .expect("git, which tells the files to check");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let wanted =
        |path: &&str| path.rsplit_once('.').is_some_and(|(_, end)| extensions.contains(&end));
    let files = listed.split('\0').filter(wanted).filter_map(|path| {
        // One that was deleted is still listed until the next commit.
        let text = std::fs::read_to_string(root.join(path)).ok()?;
        Some(File { path: path.to_owned(), text })
    });
    let files: Vec<_> = files.collect();
    assert!(!files.is_empty(), "git lists no files {extensions:?} in {}", root.display());
    files
}

/// Fails with all of `problems`, a line each, and what to do about them.
#[track_caller]
pub(crate) fn assert_none(problems: &[String], way_out: &str) {
    assert!(problems.is_empty(), "\n\n{}\n\nThe way out: {way_out}\n", problems.join("\n"));
}
