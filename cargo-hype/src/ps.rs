//! Lists runs.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hype::Submitter;
use hype::run::{RunInfo, RunScope};

use crate::error::{Error, Result};
use crate::print::{print_error, print_line, print_note, stream_json, terminal_width};
use crate::streaming::print_each;
use crate::submitter_option::SearchOptions;
use crate::table::Table;

/// The runs to list.
#[derive(Debug, Args)]
#[command(mut_arg("hype_profile", |arg| arg.visible_alias("profile")), after_help = "\
A run that has ended is removed once its program has its value. Detached runs and runs whose programs were killed \
remain: --all lists them. The status is staging, pending, running, succeeded, failed, lost or unknown; the owner is \
live, detached, none or unknown.

Examples:
  cargo hype ps
  cargo hype ps --all --json | jq 'select(.status == \"failed\")'
  cargo hype ps --submitter kubernetes")]
pub struct PsOptions {
    /// List runs that have ended, too; this lists the whole stage
    #[arg(short, long)]
    all: bool,
    /// Print a JSON object for each run, one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    search: SearchOptions,
}

/// Prints the runs of the stage and of the runner.
///
/// Returns 0, or the exit status of the first error, after printing what is known. Returns 130 after Ctrl-C.
pub fn ps(options: &PsOptions, conclude: impl FnOnce(Result<()>) -> ExitCode) -> ExitCode {
    let (scope, json) = (if options.all { RunScope::All } else { RunScope::Live }, options.json);
    options.search.run(list(scope, json), conclude)
}

async fn list(scope: RunScope, json: bool) -> Result<()> {
    let submitter = Submitter::ambient()?;
    let (mut listed, mut errors) = (Vec::new(), Vec::new());
    print_each(submitter.runs(scope), |run| {
        match run {
            Ok(run) if json => return stream_json(&to_json(&run).to_string()),
            Ok(run) => listed.push(run),
            Err(error) => errors.push(error),
        }
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    if !json {
        print_table(&listed)?;
        if listed.is_empty() && errors.is_empty() {
            print_note(describe_nothing(scope, submitter.stage().url()));
        }
    }
    let mut errors = errors.into_iter();
    let first = errors.next();
    errors.for_each(|error| print_error(&error.report()));
    first.map_or(Ok(()), |error| Err(Error::from(error)))
}

fn describe_nothing(scope: RunScope, stage: &str) -> String {
    match scope {
        RunScope::Live => {
            format!("no run is live in {stage}; --all lists those that have ended, too")
        }
        RunScope::All => format!("there is no run in {stage}"),
    }
}

fn print_table(runs: &[RunInfo]) -> Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    let mut table =
        Table::new(["RUN", "FUNCTION", "COMPONENT", "STATUS", "TRY", "AGE", "OWNER", "WHERE"]);
    for run in runs {
        let attempt = run.attempt.map_or_else(|| "-".to_owned(), |attempt| attempt.to_string());
        let place = match &run.node {
            Some(node) => format!("{}, on {node}", run.location),
            None => run.location.clone(),
        };
        table.add([
            run.id.clone(),
            or_dash(&run.function),
            or_dash(&run.component),
            run.status.name().to_owned(),
            attempt,
            run.age.map_or_else(|| "-".to_owned(), short_age),
            run.owner.to_string(),
            place,
        ]);
        if let Some(reason) = run.status.reason() {
            table.note(format!("  {reason}"));
        }
    }
    table.lines(terminal_width()).iter().try_for_each(|line| print_line(line))
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// Returns an age in its largest unit: `5s`, `12m`, `3h`, `9d`.
pub(crate) fn short_age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// Returns the JSON object of a run.
pub(crate) fn to_json(run: &RunInfo) -> serde_json::Value {
    serde_json::json!({
        "id": run.id,
        "function": run.function,
        "component": run.component,
        "status": run.status.name(),
        "reason": run.status.reason(),
        "location": run.location,
        "node": run.node,
        "attempt": run.attempt,
        "age_seconds": run.age.map(|age| age.as_secs()),
        "owner": run.owner.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_has_its_largest_unit() {
        let ages = [0, 59, 60, 3599, 3600, 172_799, 172_800].map(Duration::from_secs);
        assert_eq!(ages.map(short_age), ["0s", "59s", "1m", "59m", "1h", "47h", "2d"]);
    }
}
