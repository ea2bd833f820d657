//! Reads cargo's configuration files and their settings for targets.
//!
//! cargo's own command for this, `cargo config get`, is unstable.

use std::env::{home_dir, var_os};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::error::{Error, Result};

/// Returns cargo's home directory. Its configuration file has the lowest precedence.
pub(crate) fn home() -> Option<PathBuf> {
    let home = var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| home_dir().map(|home| home.join(".cargo")))
}

/// Returns the configuration files that cargo with the home directory `home` reads in `directory`, in ascending
/// order of precedence.
///
/// # Errors
///
/// If a file can't be read.
pub(crate) fn read(directory: &Path, home: Option<PathBuf>) -> Result<Vec<Table>> {
    let mut directories: Vec<PathBuf> =
        directory.ancestors().map(|ancestor| ancestor.join(".cargo")).collect();
    directories.extend(home.filter(|home| !directories.contains(home)));
    let mut tables = Vec::new();
    for directory in directories.iter().rev() {
        // cargo, too, prefers the legacy name if both files exist.
        let found = ["config", "config.toml"].map(|name| directory.join(name));
        if let Some(path) = found.iter().find(|path| path.is_file()) {
            read_with_included(path, &mut tables, 0)?;
        }
    }
    Ok(tables)
}

/// The maximum depth of includes; a file may include itself.
const MAX_INCLUDE_DEPTH: usize = 16;

fn read_with_included(path: &Path, tables: &mut Vec<Table>, depth: usize) -> Result<()> {
    let table = read_table(path)?;
    if depth == MAX_INCLUDE_DEPTH {
        return Err(unreadable(path).because("its includes are nested too deeply"));
    }
    for (included, is_optional) in table.get("include").map(included).unwrap_or_default() {
        let included = path.parent().unwrap_or(path).join(included);
        if !is_optional || included.is_file() {
            read_with_included(&included, tables, depth + 1)?;
        }
    }
    tables.push(table);
    Ok(())
}

/// Reads the manifest of the workspace in `root`.
///
/// # Errors
///
/// If the file can't be read.
pub(crate) fn read_manifest(root: &Path) -> Result<Table> {
    read_table(&root.join("Cargo.toml"))
}

fn read_table(path: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path).because(error))?;
    text.parse().map_err(|error: toml::de::Error| unreadable(path).because(error.to_string()))
}

/// Returns the files that `include` names, and whether each is optional.
fn included(include: &Value) -> Vec<(&str, bool)> {
    match include {
        Value::Array(several) => several.iter().flat_map(included).collect(),
        Value::String(path) => vec![(path, false)],
        Value::Table(one) => {
            let is_optional = one.get("optional").and_then(Value::as_bool).unwrap_or_default();
            one.get("path")
                .and_then(Value::as_str)
                .map(|path| (path, is_optional))
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    }
}

fn unreadable(path: &Path) -> Error {
    Error::input(format!("cannot read {}", path.display()))
        .hint("fix that file; `cargo build` reads it too")
}

/// Returns each `[target.NAME]` table of `tables` with its name, a triple or `cfg(..)`, in the order of `tables`.
pub(crate) fn targets(tables: &[Table]) -> Vec<(&str, &Table)> {
    let targets = tables.iter().filter_map(|table| table.get("target")?.as_table());
    targets
        .flatten()
        .filter_map(|(name, target)| Some((name.as_str(), target.as_table()?)))
        .collect()
}

/// Returns the target that cargo builds for without `--target`. The environment variable's value, `variable`, takes
/// precedence over `tables`.
pub(crate) fn build_target(tables: &[Table], variable: Option<String>) -> Option<String> {
    let configured = |table: &Table| {
        let target = table.get("build")?.get("target")?;
        target.as_str().or_else(|| target.get(0)?.as_str()).map(str::to_owned)
    };
    variable.or_else(|| tables.iter().rev().find_map(configured))
}

/// Returns the items of a list, which is an array or a string separated by spaces.
pub(crate) fn string_list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(items) => items.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn nearest_file_comes_last_after_its_includes() {
        let directory = tempfile::tempdir().unwrap();
        let package = directory.path().join("workspace/package");
        for (path, text) in [
            ("home/config.toml", "here = 'home'"),
            (".cargo/config.toml", "here = 'outside'"),
            (
                "workspace/.cargo/config.toml",
                "include = ['more.toml', { path = 'none.toml', optional = true }]\nhere = 'inside'",
            ),
            ("workspace/.cargo/more.toml", "here = 'included'"),
            ("workspace/package/Cargo.toml", ""),
        ] {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let read = read(&package, Some(directory.path().join("home"))).unwrap();
        let here: Vec<_> = read.iter().filter_map(|table| table.get("here")?.as_str()).collect();
        assert_eq!(here, ["home", "outside", "included", "inside"]);
    }

    #[test]
    fn build_target_follows_precedence() {
        let tables = ["[build]\ntarget = ['a', 'b']", "[build]\ntarget = 'c'", "[build]"];
        let tables = tables.map(|text| text.parse::<Table>().unwrap());
        assert_eq!(build_target(&tables, Some("d".into())).unwrap(), "d");
        assert_eq!(build_target(&tables, None).unwrap(), "c");
        assert_eq!(build_target(&tables[..1], None).unwrap(), "a");
        assert_eq!(build_target(&[], None), None);
    }

    #[test]
    fn configuration_that_includes_itself_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(".cargo")).unwrap();
        let path = directory.path().join(".cargo/config.toml");
        fs::write(path, "include = 'config.toml'").unwrap();
        let error = read(directory.path(), None).unwrap_err().report();
        assert!(error.contains("nested too deeply"), "{error}");
    }
}
