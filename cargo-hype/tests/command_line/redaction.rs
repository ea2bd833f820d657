//! Redacts output that differs from run to run or from machine to machine.

use std::path::Path;

use crate::hype::{target_directory, workspace};

/// The first words of cargo's progress lines, which depend on what was built before.
const CARGO_PROGRESS: &[&str] = &[
    "Blocking",
    "Compiling",
    "Downloaded",
    "Downloading",
    "Finished",
    "Fresh",
    "Locking",
    "Updating",
];

/// Returns `text` with placeholders for paths, run ids, sizes and times, without cargo's progress and trailing
/// spaces.
pub(crate) fn redact(text: &str, scratch: &Path) -> String {
    let scratch = scratch.canonicalize().unwrap();
    // Inner directories come first.
    let directories =
        [(scratch, "[SCRATCH]"), (target_directory(), "[TARGET]"), (workspace(), "[WORKSPACE]")];
    let text = directories
        .iter()
        .fold(text.to_owned(), |text, (path, name)| text.replace(path.to_str().unwrap(), name));
    let lines = text.lines().filter(|line| !is_progress(line));
    lines.map(|line| redact_line(line.trim_end()) + "\n").collect()
}

/// Returns whether the line is progress of cargo, or of compiling a component to machine code, which happens once
/// for each cache.
fn is_progress(line: &str) -> bool {
    let first = line.split_whitespace().next();
    let is_of_cargo =
        line.starts_with(' ') && first.is_some_and(|word| CARGO_PROGRESS.contains(&word));
    is_of_cargo || line.starts_with("hype: compiling ")
}

/// Redacts the measurements in a line of hype; returns other lines unchanged.
fn redact_line(line: &str) -> String {
    let is_measured = ["hype: ", "   Component ", "   Unchanged "];
    if !is_measured.iter().any(|start| line.starts_with(start)) {
        return line.to_owned();
    }
    let line = without_run_ids(line);
    let mut redacted = String::new();
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
                redacted.push_str(number);
                rest = behind;
                continue;
            }
        };
        redacted.push_str(&rest[..start]);
        redacted.push_str(name);
        rest = &unit[end..];
    }
    redacted + rest
}

fn without_run_ids(line: &str) -> String {
    let mut parts = line.split("hype-run-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |line, part| {
        line + "[RUN]" + part.trim_start_matches(|c: char| c.is_ascii_alphanumeric())
    })
}

#[test]
fn only_measurements_are_redacted() {
    assert_eq!(
        redact_line("hype: hype-run-g55xiqkvci ended after 39.7ms: load 5.3 ms, memory 1.1 MiB"),
        "hype: [RUN] ended after [TIME]: load [TIME], memory [SIZE]"
    );
    assert_eq!(
        redact_line("   Component hello.wasm (3.1 MiB, 1 function: example)"),
        "   Component hello.wasm ([SIZE], 1 function: example)"
    );
    assert_eq!(redact_line("error: it needs 2 MiB"), "error: it needs 2 MiB");
}
