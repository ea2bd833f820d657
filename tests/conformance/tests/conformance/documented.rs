//! Tests that docs/closures.md quotes real messages.

use std::fs;
use std::path::Path;

/// Messages of the compilation are pinned by snapshots of the macro's tests and of `cargo hype`'s tests.
#[test]
fn quoted_compiler_messages_are_in_snapshots() {
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
