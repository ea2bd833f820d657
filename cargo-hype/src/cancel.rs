//! Cancels runs.

use std::process::ExitCode;

use clap::Args;
use hype::Submitter;

use crate::error::{Error, Result};
use crate::print::{print_error, print_line};
use crate::submitter_option::SearchOptions;

/// The runs to cancel.
#[derive(Debug, Args)]
#[command(mut_arg("hype_profile", |arg| arg.visible_alias("profile")), after_help = "\
Stops the runs, and removes everything that they created. A program that waits for a cancelled run gets an error.

Examples:
  cargo hype cancel tizx
  cargo hype cancel hype-run-tizxijbai4 hype-run-q2m8vb3xcd")]
pub struct CancelOptions {
    /// The runs' ids, or the start of each
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    #[command(flatten)]
    search: SearchOptions,
}

/// Cancels runs, and prints a line for each.
///
/// Returns 0 if all were cancelled, else the exit status of the last error. Returns 130 after Ctrl-C.
pub fn cancel(options: &CancelOptions, conclude: impl FnOnce(Result<()>) -> ExitCode) -> ExitCode {
    options.search.run(cancel_all(&options.runs), conclude)
}

/// Cancels all runs, and returns the last error. Prints the other ones.
async fn cancel_all(runs: &[String]) -> Result<()> {
    let submitter = Submitter::ambient()?;
    let mut last: Option<Error> = None;
    for run in runs {
        if let Err(error) = cancel_one(&submitter, run).await
            && let Some(error) = last.replace(error)
        {
            print_error(&error.report());
        }
    }
    last.map_or(Ok(()), Err)
}

async fn cancel_one(submitter: &Submitter, run: &str) -> Result<()> {
    let id = submitter.find_run(run).await?;
    submitter.cancel(&id).await?;
    print_line(&format!("cancelled {id}"))
}
