//! The suite itself, and that what docs/closures.md quotes is tested.

use std::fs;
use std::path::Path;

/// A case that stands in no list is never run.
#[test]
fn every_case_is_in_the_suite() {
    let suite = include_str!("../../src/lib.rs");
    let listed: Vec<_> = suite.split_whitespace().collect();
    let modules = [
        include_str!("../../src/commands.rs"),
        include_str!("../../src/determinism.rs"),
        include_str!("../../src/ends.rs"),
        include_str!("../../src/http.rs"),
        include_str!("../../src/runs.rs"),
        include_str!("../../src/surroundings.rs"),
        include_str!("../../src/values.rs"),
    ];
    for module in modules {
        let cases = module.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        // Those that take more than a submitter serve other cases.
        let cases = cases.filter_map(|rest| rest.split_once("(submitter: &Submitter) {"));
        for case in cases.map(|(name, _)| name) {
            assert!(listed.contains(&case), "{case} is missing in conformance::suite!");
        }
    }
}

/// What is said while a closure is compiled is compared with snapshots, by the tests of the macros and those of
/// `cargo hype`.
#[test]
fn every_quoted_message_of_compilation_is_in_a_snapshot() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pinned =
        vec![fs::read_to_string(root.join("guest-sdk/macro/src/hype_path.rs")).unwrap()];
    for (folder, extension) in
        [("guest-sdk/tests/ui", "stderr"), ("cargo-hype/tests/command_line", "rs")]
    {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|found| found == extension) {
                pinned.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    let missing = conformance::documented::unpinned(&pinned);
    assert!(missing.is_empty(), "docs/closures.md quotes what no test compares with: {missing:#?}");
}
