//! The ways of hype's programs to their outputs.

use crate::workspace::{assert_none, files};

/// The files that may name an output, each for a reason.
const WRITERS: &[&str] = &[
    // Filters all text, and escapes JSON.
    "cargo-hype/src/print.rs",
    // Asks whether standard error is a terminal.
    "cargo-hype/src/cargo.rs",
    // Contains the text of a program.
    "cargo-hype/src/template.rs",
    // Filters messages and the closures' output.
    "host/src/native/progress/terminal.rs",
    // Draws bars of filtered text.
    "host/src/native/progress/display.rs",
    // Filters messages.
    "hype-run/src/bin/hype-run/main.rs",
    // Writes to its parent's pipes; the parent's failure contains the text.
    "hype-run/src/compiler/child.rs",
    // Passes the guest's output on, unchanged.
    "hype-run/src/bin/hype-run/run.rs",
    // Writes messages to the submitter, which filters the guest's output in them.
    "hype-run/src/bin/hype-run/items.rs",
];

const OUTPUTS: &[&str] =
    &["println!", "print!(", "eprintln!", "eprint!(", "io::stdout()", "io::stderr()", "Term::std"];

#[test]
fn only_filtering_writers_reach_the_terminal() {
    let products = ["cargo-hype/src/", "host/src/", "hype-run/src/", "stage/src/", "wire/src/"];
    let mut problems = Vec::new();
    for file in files(&["rs"]) {
        let is_product = products.iter().any(|product| file.path.starts_with(product));
        let is_test =
            file.is_test() || file.path.ends_with("/tests.rs") || file.path.contains("/scenarios");
        if !is_product || is_test || WRITERS.contains(&file.path.as_str()) {
            continue;
        }
        let code = file.text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            if !is_comment && OUTPUTS.iter().any(|output| line.contains(output)) {
                problems.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    assert_none(
        &problems,
        "print through the one file per program that filters what a terminal acts on",
    );
}
