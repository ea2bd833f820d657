//! The removal of what old runs left.

use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use hype::Submitter;
use hype::stage::{Collected, LEAST_AGE, Removal};

use crate::choice::Choice;
use crate::error::Result;

/// What to remove.
#[derive(Debug, Args)]
#[command(
    after_help = "A run that was detached stays until somebody attaches to it; a blob stays while \
                  a run that stays needs it. Others may go on submitting meanwhile."
)]
pub struct GcOptions {
    /// How old it must be, at least 24h
    #[arg(long, value_name = "AGE", default_value = "7d", value_parser = age)]
    older_than: Duration,
    #[command(flatten)]
    choice: Choice,
    /// Tell what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// What was removed, a line each, and a line that sums it up.
#[derive(Debug)]
pub struct Report {
    /// For the standard output: `run NAME` and `blob DIGEST`, and before them what a runner had:
    /// `container NAME` and `volume NAME`.
    pub lines: Vec<String>,
    /// For a person.
    pub summary: String,
}

/// Removes what is old and needed by nobody from the stage that `HYPE_STAGING` or `hype.toml` names,
/// hands a report of it on, and gives the exit status: that of `conclude`, or 130 after Ctrl-C.
pub fn gc(options: &GcOptions, conclude: impl FnOnce(Result<Report>) -> ExitCode) -> ExitCode {
    let removal = if options.dry_run { Removal::DryRun } else { Removal::Real };
    options.choice.choose();
    hype::__internal::run_main(async move { conclude(collect(options.older_than, removal).await) })
}

async fn collect(older_than: Duration, removal: Removal) -> Result<Report> {
    let submitter = Submitter::ambient()?;
    let leftovers = submitter.collect_leftovers(removal).await?;
    let collected = submitter.collect(older_than, removal).await?;
    Ok(report(submitter.stage().url(), &collected, leftovers, removal))
}

fn report(stage: &str, collected: &Collected, leftovers: Vec<String>, removal: Removal) -> Report {
    let runs = collected.runs.iter().map(|run| format!("run {run}"));
    let blobs = collected.blobs.iter().map(|blob| format!("blob {blob}"));
    let (removed, kept) = match removal {
        Removal::Real => ("removed", "kept"),
        Removal::DryRun => ("would remove", "keep"),
    };
    let mut summary = format!(
        "{removed} {} and {} ({}) of {stage}, and {kept} {}",
        counted(collected.runs.len(), "run"),
        counted(collected.blobs.len(), "blob"),
        ByteSize(collected.bytes),
        counted(collected.kept_runs, "run"),
    );
    if !leftovers.is_empty() {
        let expired = counted(leftovers.len(), "thing");
        summary.push_str(&format!("; {removed} {expired} that expired with their submitters"));
    }
    if !collected.unreadable.is_empty() {
        summary.push_str(&format!(
            "\nall blobs stay, since this version of hype cannot read what these name: {}",
            collected.unreadable.join(", ")
        ));
    }
    Report { lines: leftovers.into_iter().chain(runs).chain(blobs).collect(), summary }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn age(text: &str) -> std::result::Result<Duration, String> {
    let age =
        humantime::parse_duration(text).map_err(|_| "write an age such as 24h or 7d".to_owned())?;
    if age < LEAST_AGE {
        return Err(
            "what is younger than 24h may still be needed by a run; write 24h or more".into()
        );
    }
    Ok(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_young_cannot_be_asked_for() {
        assert_eq!(age("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert!(age("23h").unwrap_err().contains("24h"));
        assert!(age("soon").unwrap_err().contains("7d"));
    }

    #[test]
    fn the_summary_says_what_stays_and_why() {
        let collected = Collected {
            runs: vec!["r1".into()],
            bytes: 2048,
            kept_runs: 2,
            unreadable: vec!["file:///s/runs/r2/manifest".into()],
            ..Collected::default()
        };
        let leftovers = vec!["container r3-1".into(), "volume v".into()];
        let report = report("file:///s", &collected, leftovers, Removal::DryRun);
        assert_eq!(report.lines, ["container r3-1", "volume v", "run r1"]);
        assert_eq!(
            report.summary,
            "would remove 1 run and 0 blobs (2.0 KiB) of file:///s, and keep 2 runs; would \
             remove 2 things that expired with their submitters\nall blobs stay, \
             since this version of hype cannot read what these name: file:///s/runs/r2/manifest"
        );
    }
}
