//! Writes results: versions and months of the catalogue, the stamp, and the page of the docs.

use std::fs;
use std::path::Path;
use std::process::Command;

use toml::Table;

use crate::Problem;
use crate::catalogue::{Entry, Section};
use crate::table::{Stamp, page};

/// The path of the stamp, relative to the root of the repository.
const STAMP: &str = "tests/crates/checked.toml";

/// The path of the page, relative to the root of the repository.
const PAGE: &str = "docs/crates.md";

/// Records in the catalogue that `entry` matched its recorded result with `version` in this `month`.
pub fn update(catalogue: &Path, entry: &Entry, version: &str, month: &str) -> Result<(), Problem> {
    let Entry { name, version: old_version, checked, .. } = entry;
    let checked = checked.as_ref().map(|month| format!("checked = \"{month}\"\n"));
    let checked = checked.unwrap_or_default();
    let old = format!("name = \"{name}\"\nversion = \"{old_version}\"\n{checked}");
    let new = format!("name = \"{name}\"\nversion = \"{version}\"\nchecked = \"{month}\"\n");
    for file in fs::read_dir(catalogue)? {
        let path = file?.path();
        let text = fs::read_to_string(&path)?;
        if text.contains(&old) {
            return Ok(fs::write(&path, text.replace(&old, &new))?);
        }
    }
    Err(format!("{name}: write `version` below `name`, and `checked` below it").into())
}

/// Returns this month and the versions of hype and Rust.
pub fn stamp(root: &Path) -> Result<Stamp, Problem> {
    let manifest: Table = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let hype = manifest["workspace"]["package"]["version"].as_str().unwrap_or_default().to_owned();
    let rust = output_line("rustc", &["--version"])?;
    let rust = rust.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok(Stamp { month: output_line("date", &["+%Y-%m"])?, hype, rust })
}

/// Records the stamp of the last check.
pub fn write_stamp(root: &Path, stamp: &Stamp) -> Result<(), Problem> {
    Ok(fs::write(root.join(STAMP), toml::to_string(stamp)?)?)
}

/// Writes the page from the stamp and the catalogue.
pub fn write_page(root: &Path, sections: &[Section]) -> Result<(), Problem> {
    let stamp: Stamp = toml::from_str(&fs::read_to_string(root.join(STAMP))?)?;
    Ok(fs::write(root.join(PAGE), page(&stamp, sections)?)?)
}

/// Returns the line that a command prints.
fn output_line(command: &str, arguments: &[&str]) -> Result<String, Problem> {
    let output = Command::new(command).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
