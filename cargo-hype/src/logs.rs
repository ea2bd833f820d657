//! Prints the output of runs.

use std::process::ExitCode;

use clap::Args;
use hype::Submitter;
use hype::run::{LogOptions, LogStream};

use crate::error::Result;
use crate::print::{stream_line, stream_note};
use crate::streaming::print_each;
use crate::submitter_option::SearchOptions;

/// The run and the lines to print.
#[derive(Debug, Args)]
#[command(mut_arg("hype_profile", |arg| arg.visible_alias("profile")), after_help = "\
Lines of the closure's standard output go to standard output, those of its standard error to standard error. While the \
run lasts, they come from its program, container or Pod; after its end from the stage.

Examples:
  cargo hype logs tizx -f
  cargo hype logs hype-run-tizxijbai4 --tail 100 2>/dev/null")]
pub struct LogsOptions {
    /// The run's id, or the start of it
    run: String,
    /// Print new lines, too, until the run ends
    #[arg(short, long)]
    follow: bool,
    /// Print at most this number of existing lines
    #[arg(long, value_name = "NUMBER")]
    tail: Option<usize>,
    #[command(flatten)]
    search: SearchOptions,
}

/// Prints the output of a run, until the run ends or the output is closed.
///
/// Returns the exit status of `conclude`, or 130 after Ctrl-C, which only ends this command.
pub fn logs(options: &LogsOptions, conclude: impl FnOnce(Result<()>) -> ExitCode) -> ExitCode {
    let lines = LogOptions { tail: options.tail, follow: options.follow };
    options.search.run(print(&options.run, lines), conclude)
}

async fn print(run: &str, options: LogOptions) -> Result<()> {
    let submitter = Submitter::ambient()?;
    let id = submitter.find_run(run).await?;
    print_each(submitter.logs(&id, options), |line| {
        let line = line?;
        match line.stream {
            LogStream::Stdout => stream_line(&line.text),
            LogStream::Stderr => Ok(stream_note(&line.text)),
        }
    })
    .await
}
