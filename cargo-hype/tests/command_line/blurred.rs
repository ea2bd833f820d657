//! Output without what differs from run to run.

use std::path::Path;

use crate::hype::{target_directory, workspace};

/// What cargo says while it works, which depends on what was built before.
const CARGO_SAYS: &[&str] = &[
    "Blocking",
    "Compiling",
    "Downloaded",
    "Downloading",
    "Finished",
    "Fresh",
    "Locking",
    "Updating",
];

/// `text` with placeholders for paths, run ids, sizes and times, without cargo's progress and
/// spaces at the ends of lines.
pub(crate) fn blurred(text: &str, scratch: &Path) -> String {
    let scratch = scratch.canonicalize().unwrap();
    // The outer directories come last.
    let places =
        [(scratch, "[SCRATCH]"), (target_directory(), "[TARGET]"), (workspace(), "[WORKSPACE]")];
    let text = places
        .iter()
        .fold(text.to_owned(), |text, (path, name)| text.replace(path.to_str().unwrap(), name));
    let lines = text.lines().filter(|line| !is_progress(line));
    lines.map(|text| line(text.trim_end()) + "\n").collect()
}

/// Where code is compiled for the machine, once for each cache, depends on the machine.
fn is_progress(line: &str) -> bool {
    let first = line.split_whitespace().next();
    let is_cargos = line.starts_with(' ') && first.is_some_and(|word| CARGO_SAYS.contains(&word));
    is_cargos || line.starts_with("hype: compiling ")
}

/// A line of hype's, whose numbers are measurements; other lines stay as they are.
fn line(line: &str) -> String {
    let is_measured = ["hype: ", "   Component ", "   Unchanged "];
    if !is_measured.iter().any(|start| line.starts_with(start)) {
        return line.to_owned();
    }
    let line = without_run_ids(line);
    let mut blurred = String::new();
    let mut rest = line.as_str();
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let behind = rest[start..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let unit = behind.strip_prefix(' ').unwrap_or(behind);
        let end = unit.find(|c: char| !c.is_alphanumeric()).unwrap_or(unit.len());
        let name = match &unit[..end] {
            "s" | "ms" | "µs" => "[TIME]",
            "B" | "KiB" | "MiB" => "[SIZE]",
            _ => {
                let (number, behind) = rest.split_at(rest.len() - behind.len());
                blurred.push_str(number);
                rest = behind;
                continue;
            }
        };
        blurred.push_str(&rest[..start]);
        blurred.push_str(name);
        rest = &unit[end..];
    }
    blurred + rest
}

fn without_run_ids(line: &str) -> String {
    let mut parts = line.split("hype-run-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |line, part| {
        line + "[RUN]" + part.trim_start_matches(|c: char| c.is_ascii_alphanumeric())
    })
}

#[test]
fn only_measurements_are_blurred() {
    assert_eq!(
        line("hype: hype-run-g55xiqkvci ended after 39.7ms: load 5.3 ms, memory 1.1 MiB"),
        "hype: [RUN] ended after [TIME]: load [TIME], memory [SIZE]"
    );
    assert_eq!(
        line("   Component hello.wasm (3.1 MiB, 1 function: example)"),
        "   Component hello.wasm ([SIZE], 1 function: example)"
    );
    assert_eq!(line("error: it needs 2 MiB"), "error: it needs 2 MiB");
}
