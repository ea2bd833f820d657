//! Reports of staged maps: a summary, or a page.

mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hype::Submitter;
use hype::map::Report;

use crate::error::{Error, Result};
use crate::print::{print_json, print_line, print_note};
use crate::submitter_option::SearchOptions;
use crate::tool;

/// The map and the form of its report.
#[derive(Debug, Args)]
#[command(mut_arg("hype_profile", |arg| arg.visible_alias("profile")), after_help = "\
Prints the numbers of items, attempts and failures, the first failure of each kind with its backtrace, the times, and \
the limits that would have sufficed: of all items whose results are in the stage, whichever programs ran them.

A staged map has a report while it runs, and after its program was killed, interrupted or has detached it, until it is \
removed. A map that its own program has read to its end is removed; cargo hype map --report writes its report.

Examples:
  cargo hype report tizx
  cargo hype report tizx --html report.html --open
  cargo hype report tizx --json | jq .needs")]
pub struct ReportOptions {
    /// The map's id, or the start of it
    map: String,
    /// Write a page instead: timeline, histograms, failures and the slowest items
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Open the page in the browser: the program $BROWSER, or the system's
    #[arg(long)]
    open: bool,
    /// Print one JSON object instead
    #[arg(long, conflicts_with_all = ["html", "open"])]
    json: bool,
    #[command(flatten)]
    search: SearchOptions,
}

/// Prints the report of a staged map, or writes its page and opens it.
///
/// Returns the exit status of `conclude`, or 130 after Ctrl-C.
pub fn report(options: &ReportOptions, conclude: impl FnOnce(Result<()>) -> ExitCode) -> ExitCode {
    options.search.run(read_and_print(options), conclude)
}

async fn read_and_print(options: &ReportOptions) -> Result<()> {
    let submitter = Submitter::ambient()?;
    let id = submitter.find_run(&options.map).await?;
    let report = submitter.map_report(&id).await?;
    if options.json {
        let json = serde_json::to_string(&report);
        return print_json(
            &json.map_err(|error| {
                Error::machinery("the report has no form in JSON").because(error)
            })?,
        );
    }
    let path = match &options.html {
        Some(path) => path.clone(),
        None if options.open => temporary_page(&id)?,
        None => return print_line(&text::text(&id, &report)),
    };
    write(&report, &path, options.open)
}

/// Writes the page, and opens it if `is_opened` is set.
fn write(report: &Report, path: &Path, is_opened: bool) -> Result<()> {
    report.to_html(path)?;
    print_note(format!("{:>12} {}", "Report", path.display()));
    if is_opened { open(path) } else { Ok(()) }
}

/// Creates an empty file for a page, which remains.
fn temporary_page(id: &str) -> Result<PathBuf> {
    let file = tempfile::Builder::new().prefix(&format!("{id}-")).suffix(".html").tempfile();
    let kept = file.and_then(|file| Ok(file.into_temp_path().keep()?));
    kept.map_err(|error| {
        Error::machinery("cannot create a file for the report")
            .because(error)
            .hint("name one: --html report.html")
    })
}

/// Opens a file in the browser.
fn open(path: &Path) -> Result<()> {
    let browser = std::env::var_os("BROWSER").filter(|browser| !browser.is_empty());
    let browser = browser.unwrap_or_else(|| OPENER.into());
    let cannot_open = || {
        Error::machinery(format!("cannot open the report with {}", browser.display()))
            .hint(format!("open {} yourself, or set BROWSER to your browser", path.display()))
    };
    let status = tool::command(&browser)
        .arg(path)
        .stdout(crate::print::output_of_tool())
        .status()
        .map_err(|error| cannot_open().because(error))?;
    // That of Windows returns 1 if it succeeds.
    match status.success() || cfg!(windows) {
        true => Ok(()),
        false => Err(cannot_open().because(status.to_string())),
    }
}

/// The system's program that opens a file.
const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else if cfg!(windows) {
    "explorer"
} else {
    "xdg-open"
};
