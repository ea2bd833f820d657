//! The catalogue: crates, code that uses each of them, and the recorded results.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::Problem;

/// A file of the catalogue: the crates of one field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Section {
    /// The heading above their table.
    pub title: String,
    /// The crates, in the order of the table.
    #[serde(rename = "crate")]
    pub crates: Vec<Entry>,
}

/// A crate and its recorded result.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// The crate's name in the registry.
    pub name: String,
    /// The version that was checked, or a version requirement before the first check.
    pub version: String,
    /// The month of the last check that matched the recorded result. Without it, the result is a guess.
    pub checked: Option<String>,
    /// The features that the check enables.
    #[serde(default)]
    pub features: Vec<String>,
    /// Whether the check enables the crate's default features.
    #[serde(default = "yes")]
    pub default_features: bool,
    /// Further dependencies of the check, in the form of a manifest.
    #[serde(default)]
    pub with: toml::Table,
    /// The check: a `src/lib.rs` with a function `check`.
    #[serde(default)]
    pub code: String,
    /// The arguments of `check`, as on a command line.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The JSON that `check` returns.
    pub value: Option<String>,
    /// The failure of the check, if it fails.
    pub fails: Option<Failure>,
    /// The crates to use instead of one that fails.
    pub instead: Option<String>,
    /// A remark for users.
    pub note: Option<String>,
}

/// A failure of a check: its step and message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Failure {
    /// The step that fails.
    pub at: Step,
    /// A part of the printed message.
    pub says: String,
}

/// A step of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// `cargo hype build`
    Build,
    /// `cargo hype call`
    Run,
}

/// The recorded result of a check.
#[derive(Debug, PartialEq)]
pub enum Expected<'a> {
    /// The function returns this value.
    Value(Value),
    /// A step fails.
    Failure(&'a Failure),
}

impl Entry {
    /// Returns the recorded result.
    ///
    /// # Errors
    ///
    /// If the entry has neither or both of `value` and `fails`, or `value` is not JSON.
    pub fn expected(&self) -> Result<Expected<'_>, Problem> {
        match (&self.value, &self.fails) {
            (Some(value), None) => serde_json::from_str(value)
                .map(Expected::Value)
                .map_err(|error| format!("{}: its value is not JSON: {error}", self.name).into()),
            (None, Some(failure)) => Ok(Expected::Failure(failure)),
            _ => Err(format!("{}: write either `value` or `fails`", self.name).into()),
        }
    }
}

/// Reads all sections in `directory`, in the order of their file names.
pub fn read(directory: &Path) -> Result<Vec<Section>, Problem> {
    let mut paths: Vec<_> = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().map(|path| section(path)).collect()
}

fn section(path: &Path) -> Result<Section, Problem> {
    let in_file = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| in_file(&error))?;
    let section: Section = toml::from_str(&text).map_err(|error| in_file(&error))?;
    for entry in &section.crates {
        entry.expected().map_err(|error| in_file(&error))?;
    }
    Ok(section)
}

fn yes() -> bool {
    true
}
