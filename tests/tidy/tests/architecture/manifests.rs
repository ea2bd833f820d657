//! What each package has in common with the others.

use std::fs;
use std::path::Path;

use crate::workspace::{assert_none, metadata, root};

const LICENSE: &str = "Apache-2.0";

/// Where packages show what stands once at the root, so that cargo packages it with them.
const LINKS: &[(&str, &str)] = &[("guest-sdk/wit", "../wit"), ("hype-run/wit", "../wit")];

#[test]
fn each_package_takes_the_lints_of_the_workspace() {
    let problems: Vec<_> = metadata()
        .workspace_packages()
        .into_iter()
        .filter(|package| !takes_lints(&package.manifest_path))
        .map(|package| format!("{} has lints of its own or none", package.manifest_path))
        .collect();
    assert_none(&problems, "write in it: [lints] and below it `workspace = true`");
}

#[test]
fn each_package_has_the_license() {
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
fn interfaces_are_written_once() {
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
        "make it: ln -sfn ../wit LINK; on Windows set git's core.symlinks first",
    );
}

fn takes_lints(manifest: impl AsRef<Path>) -> bool {
    let manifest = manifest.as_ref();
    let text = fs::read_to_string(manifest).expect("cargo has read it too");
    let manifest: toml::Table = text.parse().expect("cargo has parsed it too");
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    lints.and_then(toml::Value::as_bool) == Some(true)
}
