//! Remains of runs: objects in a stage, containers, volumes and secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hype_wire::names;

/// Names by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Remains(BTreeMap<&'static str, BTreeSet<String>>);

/// Files of an upload that was never completed.
const PARTS: &str = "part";
/// The entry in the index of live runs.
pub(crate) const ENTRY: &str = "entry";
pub(crate) const MANIFEST: &str = "manifest";
pub(crate) const BLOB: &str = "blob";
pub(crate) const CONTAINER: &str = "container";
pub(crate) const VOLUME: &str = "volume";
pub(crate) const SECRET: &str = "secret";
/// Links to the objects that an attempt reads.
pub(crate) const VIEW: &str = "view";

impl Remains {
    pub(crate) fn add(&mut self, what: &'static str, name: impl Into<String>) {
        self.0.entry(what).or_default().insert(name.into());
    }

    /// Adds an object of a stage by its name, a file of a view, or an empty directory.
    pub(crate) fn add_object(&mut self, name: &str) {
        let of_run = name.strip_prefix("runs/").map(|rest| rest.split('/').collect::<Vec<_>>());
        let what = match of_run.as_deref() {
            Some([_, "manifest"]) => MANIFEST,
            Some([_, "lease"]) => "lease",
            Some([_, "arguments" | "value"]) => "arguments",
            Some([_, "outcome"]) => "outcome",
            Some([_, "attempts", ..]) => "object of an attempt",
            Some(_) => "directory of a run",
            None if name == names::CLOCK || name == ".hype-stage" => return,
            None if name.contains('#') => PARTS,
            None if name.starts_with("live/") => ENTRY,
            None if name.starts_with("blobs/") => BLOB,
            None if name.starts_with("views/") => VIEW,
            None => "stranger",
        };
        self.add(what, name);
    }

    /// Returns everything except the allowed kinds, parts of uploads, and blobs, which later runs reuse.
    pub(crate) fn without(&self, allowed: &[&str]) -> Self {
        let is_allowed = |what: &str| allowed.contains(&what) || [PARTS, BLOB].contains(&what);
        let rest = self.0.iter().filter(|(what, _)| !is_allowed(what));
        Self(rest.map(|(what, names)| (*what, names.clone())).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The number of rounds that left each kind of object, except blobs.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    pub(crate) fn add(&mut self, remains: &Remains) {
        for what in remains.0.keys().filter(|what| **what != BLOB) {
            *self.0.entry(what).or_default() += 1;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.0.iter().map(|(what, count)| format!("{count} {what}")).collect();
        f.write_str(if all.is_empty() { "nothing" } else { "" })?;
        f.write_str(&all.join(", "))
    }
}
