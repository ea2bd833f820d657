//! The marker of a stage in a directory.

use std::io::{self, Write};
use std::path::Path;

use super::tree::Tree;

/// The file by which a directory is known to be a stage. Nothing is removed from a directory without it.
pub(crate) const MARKER: &str = ".hype-stage";

const MARKER_TEXT: &[u8] =
    b"hype keeps the inputs and outcomes of runs in this directory.\nSee docs/stage.md of hype.\n";

/// Marks the directory at `path` as a stage. Idempotent.
pub(crate) fn mark(path: &Path) -> io::Result<()> {
    let tree = Tree::open(path)?;
    if tree.has(MARKER) {
        return Ok(());
    }
    let mut marker = tree.create(&[MARKER])?;
    marker.file.write_all(MARKER_TEXT)?;
    match marker.publish_new() {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
