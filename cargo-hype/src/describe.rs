//! Describes one run.

use std::process::ExitCode;

use bytesize::ByteSize;
use clap::Args;
use hype::__internal::hint_of;
use hype::Submitter;
use hype::error::Frame;
use hype::run::{RunDetails, Statistics};
use hype::runner::{ProcessInfo, ProcessPhase};
use serde_json::{Value, json};

use crate::error::Result;
use crate::ps::{self, short_age};
use crate::submitter_option::SearchOptions;
use crate::table::one_line;

/// The run to describe.
#[derive(Debug, Args)]
#[command(mut_arg("hype_profile", |arg| arg.visible_alias("profile")), after_help = "\
Prints the status, the containers or Pods with their events, the durations and sizes of a run that has ended, and the \
failure with its backtrace.

Examples:
  cargo hype describe tizx
  cargo hype describe tizx --json | jq .statistics.run_us")]
pub struct DescribeOptions {
    /// The run's id, or the start of it
    run: String,
    /// Print one JSON object instead
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    search: SearchOptions,
}

/// Passes the description of a run, as lines of text or as JSON, to `conclude`.
///
/// Returns the exit status of `conclude`, or 130 after Ctrl-C.
pub fn describe(
    options: &DescribeOptions,
    conclude: impl FnOnce(Result<String>) -> ExitCode,
) -> ExitCode {
    let describe = if options.json { json_text } else { text };
    options.search.run(read(&options.run, describe), conclude)
}

async fn read(run: &str, describe: fn(&str, &RunDetails) -> String) -> Result<String> {
    let submitter = Submitter::ambient()?;
    let id = submitter.find_run(run).await?;
    let details = submitter.describe(&id).await?;
    Ok(describe(submitter.stage().url(), &details))
}

/// Returns the object of `ps`, with further keys.
fn json_text(stage: &str, details: &RunDetails) -> String {
    let RunDetails { info, processes, statistics, error, .. } = details;
    let mut run = ps::to_json(info);
    run["stage"] = stage.into();
    run["processes"] = processes.iter().map(process_json).collect();
    run["statistics"] = statistics.as_ref().map_or(Value::Null, statistics_json);
    run["error"] = error.as_ref().map_or(Value::Null, error_json);
    run.to_string()
}

fn process_json(process: &ProcessInfo) -> Value {
    let (phase, reason) = match &process.phase {
        ProcessPhase::Pending(reason) => ("pending", Some(reason)),
        ProcessPhase::Running => ("running", None),
        ProcessPhase::Ended(end) => ("ended", Some(end)),
        _ => ("unknown", None),
    };
    json!({
        "name": process.name,
        "attempt": process.attempt,
        "node": process.node,
        "phase": phase,
        "reason": reason,
        "events": process.events,
    })
}

fn statistics_json(statistics: &Statistics) -> Value {
    json!({
        "fetch_us": statistics.fetch_us,
        "compile_us": statistics.compile_us,
        "start_us": statistics.start_us,
        "run_us": statistics.run_us,
        "cpu_us": statistics.cpu_us,
        "upload_us": statistics.upload_us,
        "peak_memory": statistics.peak_memory,
        "fetched": statistics.fetched,
        "uploaded": statistics.uploaded,
    })
}

fn error_json(error: &hype::Error) -> Value {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let failure = error.failure();
    let backtrace = failure.map_or(&[][..], |failure| &failure.backtrace);
    json!({
        "message": error.to_string(),
        "causes": causes.map(ToString::to_string).collect::<Vec<_>>(),
        "backtrace": backtrace.iter().map(frame_json).collect::<Vec<_>>(),
        "hint": hint_of(error),
    })
}

fn frame_json(Frame { function, location }: &Frame) -> Value {
    let location = location.as_ref();
    json!({
        "function": function,
        "file": location.map(|location| &location.file),
        "line": location.map(|location| location.line),
    })
}

fn text(stage: &str, details: &RunDetails) -> String {
    let RunDetails { info, processes, statistics, error, .. } = details;
    let mut lines = vec![
        format!("run        {}", info.id),
        format!("function   {}", info.function),
        format!("component  {}", info.component),
        format!("status     {}", info.status),
        format!("owner      {}", info.owner),
        format!("location   {}", info.location),
        format!("stage      {stage}"),
    ];
    lines.iter_mut().for_each(|line| *line = one_line(line));
    lines.extend(info.attempt.map(|attempt| format!("attempt    {attempt}")));
    lines.extend(info.age.map(|age| format!("age        {}", short_age(age))));
    for line in processes.iter().flat_map(process_lines) {
        lines.push(one_line(&line));
    }
    lines.extend(statistics.iter().map(statistics_line));
    lines.extend(error.iter().map(|error| format!("\n{}", error.report())));
    lines.join("\n")
}

fn process_lines(process: &ProcessInfo) -> Vec<String> {
    let phase = match &process.phase {
        ProcessPhase::Pending(reason) => format!("is pending: {reason}"),
        ProcessPhase::Running => "is running".to_owned(),
        ProcessPhase::Ended(end) => end.clone(),
        _ => "is in an unknown phase".to_owned(),
    };
    let node = process.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
    let mut lines = vec![format!("process    {}{node} {phase}", process.name)];
    lines.extend(process.events.iter().map(|event| format!("event      {event}")));
    lines
}

fn statistics_line(statistics: &Statistics) -> String {
    let ms = |us: u64| format!("{:.1} ms", us as f64 / 1000.0);
    let Statistics { fetch_us, compile_us, start_us, run_us, upload_us, .. } = statistics;
    format!(
        "times      fetch {}, compile {}, start {}, run {}, upload {}\n\
         sizes      memory {}, fetched {}, uploaded {}",
        ms(*fetch_us),
        ms(*compile_us),
        ms(*start_us),
        ms(*run_us),
        ms(*upload_us),
        ByteSize(statistics.peak_memory),
        ByteSize(statistics.fetched),
        ByteSize(statistics.uploaded),
    )
}
