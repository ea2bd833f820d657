//! Deletes the leftovers of old runs.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use hype::Submitter;
use hype::runner::CollectedLeftovers;
use hype::stage::{CollectMode, CollectReport, MIN_COLLECT_AGE};

use crate::error::{Error, Result};
use crate::submitter_option::SearchOptions;

/// The runs to delete.
#[derive(Debug, Args)]
#[command(
    after_help = "A detached run is kept until a program attaches to it; a blob is kept while a kept run \
                  needs it. Other programs may submit runs meanwhile.\n\n\
                  Examples:\n  \
                  cargo hype gc --dry-run\n  \
                  cargo hype gc --older-than 2d --submitter docker\n  \
                  cargo hype gc --submitter kubernetes --also-namespace training",
    mut_arg("hype_profile", |arg| arg.visible_alias("profile"))
)]
pub struct GcOptions {
    /// The minimum age of a deleted run, at least 24h
    #[arg(long, value_name = "AGE", default_value = "7d", value_parser = age)]
    older_than: Duration,
    #[command(flatten)]
    search: SearchOptions,
    /// Print what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// The deleted objects and a summary.
#[derive(Debug)]
pub struct Report {
    /// One line for each object, for standard output: `container NAME`, `volume NAME` and so on of a runner, then
    /// `run NAME`, `blob DIGEST` and `upload PATH`.
    pub lines: Vec<String>,
    /// A readable summary, for standard error.
    pub summary: String,
    /// The errors of what could not be deleted, except for the first one.
    pub warnings: Vec<String>,
    /// The error with which the command ends, although it deleted the rest.
    pub error: Option<Error>,
}

/// Deletes old runs and unused blobs from the stage that `HYPE_STAGING` or `hype.toml` names, and the runner's
/// expired leftovers. Passes the report to `conclude`.
///
/// Returns the exit status of `conclude`, or 130 after Ctrl-C.
pub fn gc(options: &GcOptions, conclude: impl FnOnce(Result<Report>) -> ExitCode) -> ExitCode {
    let mode = if options.dry_run { CollectMode::DryRun } else { CollectMode::Delete };
    options.search.run(collect(options.older_than, mode), conclude)
}

async fn collect(older_than: Duration, mode: CollectMode) -> Result<Report> {
    let submitter = Submitter::ambient()?;
    let mut leftovers = submitter.collect_leftovers(mode).await?;
    let collected = submitter.collect(older_than, mode).await.unwrap_or_else(|error| {
        // An unreachable stage has failed twice then.
        if !leftovers.failures.iter().any(|other| other.report() == error.report()) {
            leftovers.failures.push(error);
        }
        CollectReport::default()
    });
    Ok(report(submitter.stage().url(), collected, leftovers, mode))
}

fn report(
    stage: &str,
    collected: CollectReport,
    leftovers: CollectedLeftovers,
    mode: CollectMode,
) -> Report {
    let summary = summary(stage, &collected, &leftovers, mode);
    let runs = collected.runs.iter().map(|run| format!("run {run}"));
    let blobs = collected.blobs.iter().map(|blob| format!("blob {blob}"));
    let uploads = collected.uploads.iter().map(|path| format!("upload {path}"));
    let lines = leftovers.removed.iter().cloned().chain(runs).chain(blobs).chain(uploads);
    let of_stage =
        |reason| Error::machinery("the stage was not collected completely").because(reason);
    let of_runner = leftovers.failures.into_iter().map(Error::from);
    let mut errors = of_runner.chain(collected.failures.into_iter().map(of_stage));
    let error = errors.next();
    let warnings = errors.map(|error| error.report()).collect();
    Report { lines: lines.collect(), summary, warnings, error }
}

fn summary(
    stage: &str,
    collected: &CollectReport,
    leftovers: &CollectedLeftovers,
    mode: CollectMode,
) -> String {
    let (removed, kept) = match mode {
        CollectMode::Delete => ("removed", "kept"),
        CollectMode::DryRun => ("would remove", "keep"),
    };
    let mut summary = format!(
        "{removed} {} and {} ({}) of {stage}, and {kept} {}{}",
        counted(collected.runs.len(), "run"),
        counted(collected.blobs.len(), "blob"),
        ByteSize(collected.bytes),
        counted(collected.kept_runs, "run"),
        reasons_of(collected.kept_runs, collected.kept_detached, "detached"),
    );
    if collected.kept_blobs > 0 {
        let blobs = counted(collected.kept_blobs, "blob");
        let reasons =
            reasons_of(collected.kept_blobs, collected.kept_needed, "needed by kept runs");
        summary.push_str(&format!(" and {blobs}{reasons}"));
    }
    if !leftovers.removed.is_empty() {
        let expired = counted(leftovers.removed.len(), "thing");
        summary.push_str(&format!("; {removed} {expired} of submitters whose lease expired"));
    }
    if collected.kept_uploads > 0 {
        let uploads = counted(collected.kept_uploads, "unfinished upload");
        summary.push_str(&format!("\n{kept} {uploads}, which may go on"));
    }
    for (reason, names) in reasons(leftovers) {
        let things = counted(names.len(), "thing");
        summary.push_str(&format!(
            "\n{kept} {things} outside the stage, since {reason}: {}",
            list(&names)
        ));
    }
    if !collected.unreadable.is_empty() {
        summary.push_str(&format!(
            "\nkept all blobs, since this version of hype cannot read these manifests: {}",
            collected.unreadable.join(", ")
        ));
    }
    summary
}

/// The maximum number of kept things that the summary names for each reason.
const MAX_NAMES: usize = 3;

/// Returns the first names of a list, and the number of the other ones.
fn list(names: &[&str]) -> String {
    let first = names.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => first,
        others => format!("{first} and {others} more"),
    }
}

/// Returns the reasons why objects are kept, in parentheses: ` (2 young, 1 detached)`.
fn reasons_of(kept: usize, old: usize, reason: &str) -> String {
    let reasons = [(kept.saturating_sub(old), "young"), (old, reason)];
    let reasons = reasons.iter().filter(|(count, _)| *count > 0);
    let reasons: Vec<_> = reasons.map(|(count, reason)| format!("{count} {reason}")).collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) }
}

/// Returns what is kept outside the stage for each reason.
fn reasons(leftovers: &CollectedLeftovers) -> BTreeMap<&str, Vec<&str>> {
    let mut reasons = BTreeMap::<_, Vec<_>>::new();
    for kept in &leftovers.kept {
        reasons.entry(kept.reason.as_str()).or_default().push(kept.name.as_str());
    }
    reasons
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn age(text: &str) -> std::result::Result<Duration, String> {
    let age =
        humantime::parse_duration(text).map_err(|_| "write an age such as 24h or 7d".to_owned())?;
    if age < MIN_COLLECT_AGE {
        return Err("a run may still need objects younger than 24h; write 24h or more".into());
    }
    Ok(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_below_24h_is_rejected() {
        assert_eq!(age("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert!(age("23h").unwrap_err().contains("24h"));
        assert!(age("soon").unwrap_err().contains("7d"));
    }

    #[test]
    fn summary_names_kept_objects_and_the_reason() {
        let collected = CollectReport {
            runs: vec!["r1".into()],
            bytes: 2048,
            kept_runs: 2,
            kept_detached: 1,
            kept_blobs: 3,
            kept_needed: 3,
            kept_uploads: 1,
            uploads: vec!["clock#1".into()],
            unreadable: vec!["file:///s/runs/r2/manifest".into()],
            failures: vec!["cannot remove runs/r5".into()],
            ..CollectReport::default()
        };
        let removed = vec!["container r3-1".to_owned(), "volume v".to_owned()];
        let mut leftovers = CollectedLeftovers::from(removed);
        for number in 0..5 {
            leftovers.keep(format!("container r4-{number}"), "it is running");
        }
        leftovers
            .record_removal("pod p", Err(hype::Error::runner("cannot delete pod p", "forbidden")));
        let report = report("file:///s", collected, leftovers, CollectMode::DryRun);
        assert_eq!(report.lines, ["container r3-1", "volume v", "run r1", "upload clock#1"]);
        assert_eq!(
            report.summary,
            "would remove 1 run and 0 blobs (2.0 KiB) of file:///s, and keep 2 runs (1 young, 1 detached) and 3 blobs \
             (3 needed by kept runs); would remove 2 things of submitters whose lease expired\n\
             keep 1 unfinished upload, which may go on\n\
             keep 5 things outside the stage, since it is running: container r4-0, container r4-1, container r4-2 and \
             2 more\n\
             kept all blobs, since this version of hype cannot read these manifests: file:///s/runs/r2/manifest"
        );
        assert_eq!(report.error.unwrap().to_string(), "cannot delete pod p");
        let warning =
            "the stage was not collected completely\nCaused by:\n   0: cannot remove runs/r5";
        assert_eq!(report.warnings, [warning]);
    }
}
