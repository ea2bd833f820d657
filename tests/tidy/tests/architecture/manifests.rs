//! Settings that all packages share.

use std::fs;
use std::path::Path;

use crate::workspace::{assert_none, metadata, root};

const LICENSE: &str = "Apache-2.0";

/// Symbolic links to files and folders of the root, so that cargo packages them with each package.
const LINKS: &[(&str, &str)] = &[
    ("guest-sdk/wit", "../wit"),
    ("hype-run/wit", "../wit"),
    ("cargo-hype/LICENSE", "../LICENSE"),
    ("guest-sdk/LICENSE", "../LICENSE"),
    ("guest-sdk/macro/LICENSE", "../../LICENSE"),
    ("host/LICENSE", "../LICENSE"),
    ("hype-run/LICENSE", "../LICENSE"),
    ("stage/LICENSE", "../LICENSE"),
    ("wire/LICENSE", "../LICENSE"),
    ("workspace-hack/stub/LICENSE", "../../LICENSE"),
];

#[test]
fn packages_inherit_workspace_lints() {
    let problems: Vec<_> = metadata()
        .workspace_packages()
        .into_iter()
        .filter(|package| !takes_lints(&package.manifest_path))
        .map(|package| format!("{} has lints of its own or none", package.manifest_path))
        .collect();
    assert_none(&problems, "write in it: [lints] and below it `workspace = true`");
}

#[test]
fn packages_have_the_license() {
    let problems: Vec<_> = metadata()
        .workspace_packages()
        .into_iter()
        .filter(|package| package.license.as_deref() != Some(LICENSE))
        .map(|package| {
            let license = package.license.as_deref().unwrap_or("no license");
            format!("{} has {license}", package.manifest_path)
        })
        .collect();
    assert_none(&problems, "write in its [package]: `license.workspace = true`");
}

#[test]
fn wit_folders_are_symbolic_links() {
    let problems: Vec<_> = LINKS
        .iter()
        .filter_map(|(link, target)| {
            let found = fs::read_link(root().join(link));
            match found {
                Ok(found) if found == Path::new(target) => None,
                Ok(found) => Some(format!("{link} points to {}, not to {target}", found.display())),
                Err(error) => Some(format!("{link} is not a symbolic link: {error}")),
            }
        })
        .collect();
    assert_none(
        &problems,
        "make it: ln -sfn TARGET LINK; on Windows set git's core.symlinks first",
    );
}

fn takes_lints(manifest: impl AsRef<Path>) -> bool {
    let manifest = manifest.as_ref();
    let text = fs::read_to_string(manifest).expect("cargo has read it too");
    let manifest: toml::Table = text.parse().expect("cargo has parsed it too");
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    lints.and_then(toml::Value::as_bool) == Some(true)
}
