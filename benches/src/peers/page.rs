//! The tables of `docs/peers.md`.

use std::process::Command;

use anyhow::Context;

use super::memory::Peak;
use super::python::{PEERS, Python};
use super::results::{Results, System, TASKS, Way};
use crate::ours::Ours;

/// The lines of the page between which the tables are.
const BEGIN: &str = "<!-- The benchmark `peers` writes the lines below. -->\n";
const END: &str = "<!-- The benchmark `peers` writes the lines above. -->\n";

/// Replaces the tables of the page.
pub(super) fn write(
    ours: &Ours,
    python: &Python,
    cores: usize,
    results: &Results,
    memory: &[Peak],
) -> anyhow::Result<()> {
    let path = ours.root.join("docs/peers.md");
    let page = std::fs::read_to_string(&path)?;
    let tables = format!(
        "\n{}\n\n{}\n{}\n",
        machine(python, cores)?,
        tasks_table(python, results),
        memory_table(memory)
    );
    let page = replace(&page, &tables).context("docs/peers.md has no place for tables")?;
    Ok(std::fs::write(path, page)?)
}

/// Returns `page` with other text between the lines.
fn replace(page: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{text}{END}{after}"))
}

/// Returns a sentence with the machine, the date and the versions.
fn machine(python: &Python, cores: usize) -> anyhow::Result<String> {
    let processors = std::fs::read_to_string("/proc/cpuinfo").context("Linux is needed")?;
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    Ok(format!(
        "Measured on {}, on {cores} cores of {model} with Linux {}, {} and hype {}.",
        String::from_utf8(date.stdout)?.trim(),
        kernel.trim(),
        python.version()?,
        env!("CARGO_PKG_VERSION"),
    ))
}

fn tasks_table(python: &Python, results: &Results) -> String {
    let [greet, spin, echo] = TASKS;
    let mut table = format!(
        "| system | {} {}: per second | batched | {} {}: of the cores | batched | {} {}: per second | batched | start |\n\
         |---|---|---|---|---|---|---|---|\n",
        greet.number, greet.title, spin.number, spin.title, echo.number, echo.title
    );
    let peers = PEERS.iter().enumerate();
    let peers = peers.map(|(index, peer)| (System::Peer(index), python.title(peer)));
    for (system, title) in std::iter::once((System::Hype, "hype".to_owned())).chain(peers) {
        let cells = match results.failure(system) {
            Some(reason) => format!("cannot be measured: {} | | | | | |", reason.replace('|', "/")),
            None => {
                let rate = |task, way| cell(results.rate(system, task, way), rounded);
                let part = |way| cell(results.efficiency(system, way), percent);
                [
                    rate(&greet, Way::Each),
                    rate(&greet, Way::Batched),
                    part(Way::Each),
                    part(Way::Batched),
                    rate(&echo, Way::Each),
                    rate(&echo, Way::Batched),
                    cell(results.start(system), |seconds| format!("{seconds:.2} s")),
                ]
                .join(" | ")
            }
        };
        table.push_str(&format!("| {title} | {cells} |\n"));
    }
    table
}

fn memory_table(memory: &[Peak]) -> String {
    let mut table =
        "| items | program, peak | workers, peak | items per second, with the start |\n\
                     |---|---|---|---|\n"
            .to_owned();
    for peak in memory {
        table.push_str(&format!(
            "| {} | {:.0} MiB | {:.0} MiB | {} |\n",
            peak.items,
            peak.program,
            peak.workers,
            rounded(peak.rate)
        ));
    }
    table
}

fn cell(number: Option<f64>, format: impl Fn(f64) -> String) -> String {
    number.map_or(String::new(), format)
}

fn rounded(number: f64) -> String {
    // Three significant digits are more than a repetition reproduces.
    let unit = 10_f64.powf((number.max(1.0).log10().floor() - 2.0).max(0.0));
    format!("{:.0}", (number / unit).round() * unit)
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}
