//! cargo's configuration files: which there are for a directory, and what they say of targets.
//!
//! cargo tells of them only by an unstable command.

use std::env::{home_dir, var_os};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::error::{Error, Result};

/// cargo's own directory, whose file is the lightest.
pub(crate) fn home() -> Option<PathBuf> {
    let home = var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| home_dir().map(|home| home.join(".cargo")))
}

/// What the files say that cargo, whose own directory is `home`, reads in `directory`; the weightiest last.
///
/// # Errors
///
/// When one of them can't be read.
pub(crate) fn read(directory: &Path, home: Option<PathBuf>) -> Result<Vec<Table>> {
    let mut places: Vec<PathBuf> =
        directory.ancestors().map(|ancestor| ancestor.join(".cargo")).collect();
    places.extend(home.filter(|home| !places.contains(home)));
    let mut tables = Vec::new();
    for place in places.iter().rev() {
        // The name that cargo had first goes before the other, as with cargo.
        let found = ["config", "config.toml"].map(|name| place.join(name));
        if let Some(path) = found.iter().find(|path| path.is_file()) {
            read_with_included(path, &mut tables, 0)?;
        }
    }
    Ok(tables)
}

/// The number of levels that files may include each other: a file that includes itself would never end.
const DEPTH: usize = 16;

fn read_with_included(path: &Path, tables: &mut Vec<Table>, depth: usize) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path).because(error))?;
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| unreadable(path).because(error.to_string()))?;
    if depth == DEPTH {
        return Err(unreadable(path).because("its files include each other too deeply"));
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

/// The files that `include` names, and whether they may be missing.
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
    Error::input(format!("cannot read cargo's configuration {}", path.display()))
        .hint("correct that file; `cargo build` reads it, too")
}

/// The targets of all `tables` by name, a triple or `cfg(..)`, with what each of the tables says of it.
pub(crate) fn targets(tables: &[Table]) -> Vec<(&str, &Table)> {
    let targets = tables.iter().filter_map(|table| table.get("target")?.as_table());
    targets
        .flatten()
        .filter_map(|(name, target)| Some((name.as_str(), target.as_table()?)))
        .collect()
}

/// The target that cargo builds for where no option names one; `variable` goes before all `tables`.
pub(crate) fn build_target(tables: &[Table], variable: Option<String>) -> Option<String> {
    let configured = |table: &Table| {
        let target = table.get("build")?.get("target")?;
        target.as_str().or_else(|| target.get(0)?.as_str()).map(str::to_owned)
    };
    variable.or_else(|| tables.iter().rev().find_map(configured))
}

/// Words of a list, which is an array or a text with spaces.
pub(crate) fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(words) => words.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_file_comes_last_and_brings_what_it_includes() {
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
    fn the_weightiest_target_is_built_for() {
        let tables = ["[build]\ntarget = ['a', 'b']", "[build]\ntarget = 'c'", "[build]"];
        let tables = tables.map(|text| text.parse::<Table>().unwrap());
        assert_eq!(build_target(&tables, Some("d".into())).unwrap(), "d");
        assert_eq!(build_target(&tables, None).unwrap(), "c");
        assert_eq!(build_target(&tables[..1], None).unwrap(), "a");
        assert_eq!(build_target(&[], None), None);
    }

    #[test]
    fn a_file_that_includes_itself_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(".cargo")).unwrap();
        let path = directory.path().join(".cargo/config.toml");
        fs::write(path, "include = 'config.toml'").unwrap();
        let error = read(directory.path(), None).unwrap_err().report();
        assert!(error.contains("include each other"), "{error}");
    }
}
