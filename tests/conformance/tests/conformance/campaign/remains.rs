//! What is there of runs: objects in a stage, containers, volumes and secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hype_wire::names;

/// Things by what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Remains(BTreeMap<&'static str, BTreeSet<String>>);

/// What stays after a collection, too: parts of an upload that was never completed (docs/stage.md).
const PARTS: &str = "part";
pub(crate) const MANIFEST: &str = "manifest";
pub(crate) const BLOB: &str = "blob";
pub(crate) const CONTAINER: &str = "container";
pub(crate) const VOLUME: &str = "volume";
pub(crate) const SECRET: &str = "secret";

impl Remains {
    pub(crate) fn add(&mut self, what: &'static str, name: impl Into<String>) {
        self.0.entry(what).or_default().insert(name.into());
    }

    /// Adds an object of a stage by its name there, or a directory without objects.
    pub(crate) fn add_object(&mut self, name: &str) {
        let of_run = name.strip_prefix("runs/").map(|rest| rest.split('/').collect::<Vec<_>>());
        let what = match of_run.as_deref() {
            Some([_, "manifest"]) => MANIFEST,
            Some([_, "lease"]) => "lease",
            Some([_, "arguments"]) => "arguments",
            Some([_, "outcome"]) => "outcome",
            Some([_, "attempts", ..]) => "object of an attempt",
            Some(_) => "directory of a run",
            None if name == names::CLOCK => return,
            None if name.starts_with("blobs/") && name.contains('#') => PARTS,
            None if name.starts_with("blobs/") => BLOB,
            None => "stranger",
        };
        self.add(what, name);
    }

    /// What is here but for these, for parts of uploads and for blobs, which serve the next run.
    pub(crate) fn without(&self, allowed: &[&str]) -> Self {
        let is_allowed = |what: &str| allowed.contains(&what) || [PARTS, BLOB].contains(&what);
        let rest = self.0.iter().filter(|(what, _)| !is_allowed(what));
        Self(rest.map(|(what, names)| (*what, names.clone())).collect())
    }

    /// What a collection should have removed where it keeps no run.
    pub(crate) fn uncollected(&self) -> Self {
        let rest = self.0.iter().filter(|(what, _)| **what != PARTS);
        Self(rest.map(|(what, names)| (*what, names.clone())).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How many rounds left a thing of each kind, but for blobs.
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
