//! The catalogue: crates, code that uses each, and what is known to come of it.

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

/// A crate, and what is recorded of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// Its name in the registry.
    pub name: String,
    /// The version that was checked, or a requirement of cargo's until one was.
    pub version: String,
    /// The month in which it was last seen to be as recorded. Without it what is recorded is a guess.
    pub checked: Option<String>,
    /// The features that the check enables.
    #[serde(default)]
    pub features: Vec<String>,
    /// Whether the check uses its default features.
    #[serde(default = "yes")]
    pub default_features: bool,
    /// Further dependencies of the check, as a manifest has them.
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
    /// How it fails, if it does.
    pub fails: Option<Failure>,
    /// What to use instead of a crate that fails.
    pub instead: Option<String>,
    /// What else to know.
    pub note: Option<String>,
}

/// Where a check fails, and what is said then.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Failure {
    /// Where it fails.
    pub at: Step,
    /// A piece of what is printed then.
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

/// What is recorded of a check.
#[derive(Debug, PartialEq)]
pub enum Expected<'a> {
    /// It returns this value.
    Value(Value),
    /// It fails like this.
    Failure(&'a Failure),
}

impl Entry {
    /// What is recorded, which is one thing.
    pub fn expected(&self) -> Result<Expected<'_>, Problem> {
        match (&self.value, &self.fails) {
            (Some(value), None) => serde_json::from_str(value)
                .map(Expected::Value)
                .map_err(|error| format!("{}: its value is not JSON: {error}", self.name).into()),
            (None, Some(failure)) => Ok(Expected::Failure(failure)),
            _ => Err(format!("{}: give one of `value` and `fails`", self.name).into()),
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
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| told(&error))?;
    let section: Section = toml::from_str(&text).map_err(|error| told(&error))?;
    for entry in &section.crates {
        entry.expected().map_err(|error| told(&error))?;
    }
    Ok(section)
}

fn yes() -> bool {
    true
}
