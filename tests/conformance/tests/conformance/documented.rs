//! What docs/closures.md quotes is tested.

use std::fs;
use std::path::Path;

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
