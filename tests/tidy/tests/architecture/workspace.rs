//! The workspace's packages and its text files that are in git.

use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package};

/// A text file of the workspace.
pub(crate) struct File {
    /// The path from the root of the workspace, separated by `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Returns whether the file is in a `tests` folder.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests")
    }
}

/// Returns the root of the workspace.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the root of the workspace is two directories up")
}

/// Returns cargo's metadata, with all features enabled.
pub(crate) fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .exec()
        .expect("cargo metadata")
}

/// Returns whether `package` is published.
pub(crate) fn is_published(package: &Package) -> bool {
    package.publish.as_ref().is_none_or(|registries| !registries.is_empty())
}

/// Returns whether a dependency of this kind becomes part of a build.
pub(crate) fn is_built_in(kind: DependencyKind) -> bool {
    kind != DependencyKind::Development
}

/// Returns the text files with one of these extensions that git tracks or would add.
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
        // A deleted file is listed until the next commit.
        let text = std::fs::read_to_string(root.join(path)).ok()?;
        Some(File { path: path.to_owned(), text })
    });
    let files: Vec<_> = files.collect();
    assert!(!files.is_empty(), "git lists no files {extensions:?} in {}", root.display());
    files
}

/// Fails if `problems` is not empty, with one line per problem and the fix.
#[track_caller]
pub(crate) fn assert_none(problems: &[String], fix: &str) {
    assert!(problems.is_empty(), "\n\n{}\n\nFix: {fix}\n", problems.join("\n"));
}
