//! Targets that cargo tests.

use std::path::Path;

use cargo_metadata::{Package, Target};

use crate::workspace::{File, assert_none, files, metadata, root};

/// A target with `test = false` is not linked as a test program, so a test in it would never run.
#[test]
fn untested_targets_contain_no_tests() {
    let files = files(&["rs"]);
    let metadata = metadata();
    let mut problems = Vec::new();
    for package in metadata.workspace_packages() {
        for target in package.targets.iter().filter(|target| !target.test) {
            let with_tests = files
                .iter()
                .filter(|file| is_of(&root().join(&file.path), package, target) && has_tests(file));
            problems.extend(
                with_tests.map(|file| {
                    format!("{} has tests, and {} is not tested", file.path, target.name)
                }),
            );
        }
    }
    assert_none(&problems, "take `test = false` away from the target in its Cargo.toml");
}

/// Returns whether `path` belongs to this target: its root file, or a file below the directory of a library or of a
/// package's only program, unless it is another target's root.
fn is_of(path: &Path, package: &Package, target: &Target) -> bool {
    let owns_directory = target.is_lib() || !package.targets.iter().any(Target::is_lib);
    let begins_another = || package.targets.iter().any(|other| root_of(other) == path);
    root_of(target) == path
        || owns_directory
            && root_of(target).parent().is_some_and(|directory| path.starts_with(directory))
            && !begins_another()
}

fn root_of(target: &Target) -> &Path {
    target.src_path.as_std_path()
}

fn has_tests(file: &File) -> bool {
    file.text.lines().any(|line| line.trim() == "#[cfg(test)]")
}
