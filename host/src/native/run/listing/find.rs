//! Finds runs by prefixes of their ids.

use std::collections::BTreeSet;
use std::sync::Arc;

use hype_wire::names;

use super::failures::SearchFailures;
use crate::error::{Error, Result, hint_of};
use crate::run::control;
use crate::run::driver::Dispatcher;
use crate::run::submitter::Submitter;

/// The part of each id that users may omit.
const PREFIX: &str = "hype-run-";

/// The maximum number of ids in a hint.
const MAX_HINTS: usize = 3;

impl Submitter {
    /// Returns the id of the only run whose id begins with `prefix`, with or without `hype-run-`.
    ///
    /// Live runs are searched first. The whole stage is listed only if none of them matches.
    ///
    /// ```no_run
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// let id = submitter.find_run("tizx").await?;
    /// submitter.cancel(&id).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when no run or several runs match; the hint lists the nearest ids.
    pub async fn find_run(&self, prefix: &str) -> Result<String> {
        let (dispatcher, prefix) = (Arc::clone(self.dispatcher()), prefix.to_owned());
        self.on_thread(async move { find(&dispatcher, &prefix).await }).await
    }
}

async fn find(dispatcher: &Dispatcher, prefix: &str) -> Result<String> {
    let Dispatcher { stage, runner, .. } = dispatcher;
    if names::is_run_id(prefix) && stage.has(&names::manifest(prefix)).await? {
        return Ok(prefix.to_owned());
    }
    let (locals, processes) = tokio::join!(control::list(stage.url()), runner.processes(None));
    let mut known = stage.live_runs().await?;
    known.extend(locals.into_iter().map(|local| local.run.run_id.to_string()));
    let failures = SearchFailures::default();
    known.extend(failures.record(processes).into_iter().map(|process| process.run_id));
    if matching(&known, prefix).is_empty() {
        known.extend(stage.all_runs().await?);
    }
    choose(&known, prefix, stage.url()).map_err(|error| {
        // The runner may have a run that isn't in the stage.
        match failures.take_unreported().into_iter().next() {
            Some(failure) if matching(&known, prefix).is_empty() => because_of(error, failure),
            _ => error,
        }
    })
}

/// Returns `error` with the cause `failure` and the hints of both.
fn because_of(error: Error, failure: Error) -> Error {
    let error = match hint_of(&failure) {
        Some(hint) => error.append_hint(hint),
        None => error,
    };
    error.because(failure)
}

/// Chooses the only run of `known` that matches `prefix`.
fn choose(known: &BTreeSet<String>, prefix: &str, stage_url: &str) -> Result<String> {
    match matching(known, prefix)[..] {
        [id] => Ok(id.to_owned()),
        [] => {
            let error = Error::input(format!("there is no run `{prefix}` in {stage_url}"));
            let nearest = nearest(known, prefix);
            Err(error.hint(match nearest.is_empty() {
                true => "it has no runs: each is removed when its program has its value".to_owned(),
                false => format!("the nearest are {}", nearest.join(", ")),
            }))
        }
        [..] => {
            let all = matching(known, prefix);
            let listed: Vec<_> = all.iter().take(MAX_HINTS).copied().collect();
            let rest = if all.len() > MAX_HINTS { " and others" } else { "" };
            Err(Error::input(format!("`{prefix}` matches {} runs", all.len()))
                .hint(format!("write more of the id: {}{rest}", listed.join(", "))))
        }
    }
}

/// Returns the runs that begin with `prefix`. An exact match excludes all others.
fn matching<'a>(known: &'a BTreeSet<String>, prefix: &str) -> Vec<&'a str> {
    if let Some(exact) = known.get(prefix) {
        return vec![exact];
    }
    if prefix.is_empty() {
        return Vec::new();
    }
    let is_match = |id: &&str| {
        id.starts_with(prefix) || id.strip_prefix(PREFIX).is_some_and(|id| id.starts_with(prefix))
    };
    known.iter().map(String::as_str).filter(is_match).collect()
}

/// Returns the runs of `known` whose ids need the fewest edits to begin with `prefix`.
fn nearest<'a>(known: &'a BTreeSet<String>, prefix: &str) -> Vec<&'a str> {
    let short = |id: &str| id.strip_prefix(PREFIX).unwrap_or(id).to_owned();
    let wanted = short(prefix);
    let distance = |id: &str| {
        let start: String = short(id).chars().take(wanted.chars().count()).collect();
        edit_distance(&start, &wanted)
    };
    let mut by_distance: Vec<_> = known.iter().map(|id| (distance(id), id.as_str())).collect();
    by_distance.sort_unstable();
    by_distance.into_iter().take(MAX_HINTS).map(|(_, id)| id).collect()
}

/// Returns the number of inserted, deleted and replaced characters between two texts.
fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, left) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, right) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> BTreeSet<String> {
        ["abcdefghij", "abcxyz2345", "qrstuvwxyz"].map(|id| format!("{PREFIX}{id}")).into()
    }

    #[test]
    fn unique_prefix_finds_a_run() {
        for prefix in ["q", "hype-run-q", "qrstuvwxyz", "hype-run-qrstuvwxyz"] {
            assert_eq!(choose(&known(), prefix, "file:///s").unwrap(), "hype-run-qrstuvwxyz");
        }
    }

    #[test]
    fn exact_id_is_not_ambiguous() {
        let known = BTreeSet::from(["run-1".to_owned(), "run-12".to_owned()]);
        assert_eq!(choose(&known, "run-1", "file:///s").unwrap(), "run-1");
    }

    #[test]
    fn ambiguous_prefix_lists_its_matches() {
        let report = choose(&known(), "abc", "file:///s").unwrap_err().report();
        assert!(report.contains("`abc` matches 2 runs"), "{report}");
        assert!(report.contains("hype-run-abcdefghij, hype-run-abcxyz2345"), "{report}");
    }

    #[test]
    fn unknown_id_lists_the_nearest_runs() {
        let report = choose(&known(), "abdxyz", "file:///s").unwrap_err().report();
        assert!(report.contains("there is no run `abdxyz` in file:///s"), "{report}");
        assert!(report.contains("the nearest are hype-run-abcxyz2345, "), "{report}");
        let report = choose(&BTreeSet::new(), "", "file:///s").unwrap_err().report();
        assert!(report.contains("it has no runs"), "{report}");
    }

    #[test]
    fn failed_search_adds_its_causes_and_hint() {
        let error = choose(&known(), "abdxyz", "file:///s").unwrap_err();
        let failure = Error::runner("cannot reach the daemon", "connection refused");
        let report = because_of(error, failure.hint("start it")).report();
        for expected in ["there is no run", "cannot reach the daemon", "connection refused"] {
            assert!(report.contains(expected), "{report}");
        }
        assert!(report.contains("hype-run-abcxyz2345, "), "{report}");
        assert!(report.ends_with("; start it"), "{report}");
    }

    #[test]
    fn edit_distance_counts_edits() {
        for (one, other, distance) in [
            ("", "", 0),
            ("abc", "", 3),
            ("abc", "abd", 1),
            ("abc", "bc", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edit_distance(one, other), distance, "{one} {other}");
        }
    }
}
