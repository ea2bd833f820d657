//! Checks that components can be built and that runs can work here.

use std::process::ExitCode;

use clap::Args;
use futures::StreamExt;
use hype::__internal::exit_status;
use hype::doctor::{Check, CheckState};

use crate::color::Color;
use crate::error::Result;
use crate::print::{print_json, print_paragraph};
use crate::submitter_option::SubmitterOption;
use crate::toolchain;

/// The submitter to check.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints a line for each check: ok, FAILED with its remedy, or unknown if the rights don't allow \
                  it or another check failed. Exits with 0 if no check failed, else with 3. It leaves nothing \
                  behind, except for an image that a Docker daemon had to pull.\n\n\
                  Examples:\n  \
                  cargo hype doctor\n  \
                  cargo hype doctor --submitter docker\n  \
                  cargo hype doctor --profile prod --json",
    mut_arg("hype_profile", |arg| arg.visible_alias("profile"))
)]
pub struct DoctorOptions {
    #[command(flatten)]
    submitter: SubmitterOption,
    /// Print each check as a line of JSON
    #[arg(long)]
    json: bool,
}

/// Checks the toolchain and the chosen submitter, and prints each check as soon as it is done. Passes a failure to print
/// to `conclude`.
///
/// Returns 0 if no check failed, 3 if one failed, or 130 after Ctrl-C.
pub fn doctor(
    options: &DoctorOptions,
    conclude: impl FnOnce(Result<ExitCode>) -> ExitCode,
) -> ExitCode {
    options.submitter.apply();
    let print: fn(&Check) -> Result<()> = if options.json { print_as_json } else { print_as_text };
    hype::__internal::run_main(async move { conclude(check_all(print).await) })
}

async fn check_all(print: fn(&Check) -> Result<()>) -> Result<ExitCode> {
    let mut has_failed = false;
    let toolchain = futures::stream::iter(toolchain::check());
    let mut checks = toolchain.chain(hype::doctor::check());
    while let Some(check) = checks.next().await {
        has_failed |= check.state == CheckState::Failed;
        print(&check)?;
    }
    Ok(if has_failed { ExitCode::from(exit_status::MACHINERY) } else { ExitCode::SUCCESS })
}

fn state_text(state: CheckState) -> &'static str {
    match state {
        CheckState::Ok => "ok",
        CheckState::Failed => "FAILED",
        CheckState::Unknown => "unknown",
    }
}

fn print_as_text(check: &Check) -> Result<()> {
    let color = match check.state {
        CheckState::Ok => Color::Green,
        CheckState::Failed => Color::Red,
        CheckState::Unknown => Color::Yellow,
    };
    let text = format!("{}: {}", check.name, check.detail);
    print_paragraph(Some(color), state_text(check.state), &text)?;
    match &check.remedy {
        Some(remedy) => print_paragraph(None, "", &format!("fix: {remedy}")),
        None => Ok(()),
    }
}

fn print_as_json(check: &Check) -> Result<()> {
    let Check { name, detail, remedy, .. } = check;
    let state = state_text(check.state).to_lowercase();
    print_json(
        &serde_json::json!({"name": name, "state": state, "detail": detail, "remedy": remedy})
            .to_string(),
    )
}
