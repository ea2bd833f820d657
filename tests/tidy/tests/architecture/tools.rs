//! Programs that `cargo hype` starts.

use crate::workspace::{assert_none, files};

/// The only file that starts cargo, rustc and programs. It restores the environment of the user's shell.
const TOOL_FILE: &str = "cargo-hype/src/tool.rs";

#[test]
fn cargo_hype_starts_programs_only_in_tool_rs() {
    let files = files(&["rs"]);
    let others = files
        .iter()
        .filter(|file| file.path.starts_with("cargo-hype/src/") && file.path != TOOL_FILE);
    let problems: Vec<_> = others
        .filter(|file| {
            let metadata = "MetadataCommand";
            let runs_cargo_metadata = file.text.contains(metadata) && file.text.contains(".exec()");
            let is_code = |line: &&str| !line.trim_start().starts_with("//");
            let mut lines = file.text.lines().filter(is_code);
            runs_cargo_metadata
                || lines.any(|line| line.replace(metadata, "").contains("Command::new("))
        })
        .map(|file| format!("{} starts something itself", file.path))
        .collect();
    assert_none(
        &problems,
        "start it by the functions of cargo-hype/src/tool.rs: else what cargo sets for cargo-hype reaches it, \
         and has build scripts run again",
    );
}
