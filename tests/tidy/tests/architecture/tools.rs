//! How `cargo hype` starts what it starts.

use crate::workspace::{assert_none, files};

/// The one file that starts cargo, rustc and programs, in the environment of the user's shell.
const STARTS: &str = "cargo-hype/src/tool.rs";

#[test]
fn cargo_hype_starts_everything_in_the_environment_of_the_user() {
    let files = files(&["rs"]);
    let others =
        files.iter().filter(|file| file.path.starts_with("cargo-hype/src/") && file.path != STARTS);
    let problems: Vec<_> = others
        .filter(|file| {
            let metadata = "MetadataCommand";
            let asks_for_metadata = file.text.contains(metadata) && file.text.contains(".exec()");
            let is_code = |line: &&str| !line.trim_start().starts_with("//");
            let mut lines = file.text.lines().filter(is_code);
            asks_for_metadata
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
