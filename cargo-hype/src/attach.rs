//! Waits for runs and staged maps that other programs started.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hype::__internal::is_staged_map;
use hype::Submitter;
use hype::component::EncodedValue;

use crate::error::{Error, Result};
use crate::map::{Results, Tally, staged};
use crate::print::print_note;
use crate::submitter_option::SearchOptions;

/// The run or the map to wait for.
#[derive(Debug, Args)]
#[command(mut_arg("hype_profile", |arg| arg.visible_alias("profile")), after_help = "\
Of a run, prints the value as JSON, and exits as `cargo hype call` does. The run is removed once its value is here, \
unless its program still waits for it. Ctrl-C leaves the run as it is.

Of a staged map, writes a line for each result, as `cargo hype map --staged` does: the results that are in the stage, and \
those of the staged calls that have none, which run here. A file may have some of the results already. The map remains in \
the stage until `cargo hype cancel` removes it.

Examples:
  cargo hype attach tizx
  cargo hype attach tizx --output results.jsonl")]
pub struct AttachOptions {
    /// The id of the run or map, or the start of it
    run: String,
    /// The file for the results of a staged map; .csv for a table, - for standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    search: SearchOptions,
}

/// The end of what was attached to.
pub enum Attached {
    /// The value of a run.
    Value(EncodedValue),
    /// The numbers of results of a map.
    Map(Tally),
}

/// Waits for the run and passes its value to `conclude`, or writes the results of a map.
///
/// Returns the exit status of `conclude`, or 130 after Ctrl-C.
pub fn attach(
    options: &AttachOptions,
    conclude: impl FnOnce(Result<Attached>) -> ExitCode,
) -> ExitCode {
    options.search.run(attach_to(&options.run, options.output.as_deref()), conclude)
}

async fn attach_to(run: &str, output: Option<&Path>) -> Result<Attached> {
    let submitter = Submitter::ambient()?;
    let id = submitter.find_run(run).await?;
    match (is_staged_map(submitter.stage(), &id).await?, output) {
        (false, None) => Ok(Attached::Value(submitter.attach::<EncodedValue>(&id).wait().await?)),
        (true, Some(output)) => read_map(&submitter, &id, output).await.map(Attached::Map),
        (true, None) => Err(Error::input(format!("{id} is a staged map, which has many results"))
            .hint("name a file for them: --output results.jsonl, or - for standard output")),
        (false, Some(_)) => Err(Error::input(format!("{id} is a run and no staged map"))
            .hint("leave out --output: its value is printed")),
    }
}

async fn read_map(submitter: &Submitter, id: &str, output: &Path) -> Result<Tally> {
    let results = Results::open(output)?;
    let tally = staged::read(submitter.attach_map(id), results).await?;
    print_note(format!("the map {id} remains in the stage; cargo hype cancel {id} removes it"));
    Ok(tally)
}
