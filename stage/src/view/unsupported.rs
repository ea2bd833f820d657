//! Stubs for systems without views.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use hype_wire::Digest;

use super::StageView;

pub(super) fn create(_: &Path, _: &str, _: u32, _: &[Digest]) -> io::Result<StageView> {
    let problem = "containers with a stage in a directory need Unix: stage in a bucket";
    Err(io::Error::new(io::ErrorKind::Unsupported, problem))
}

pub(super) fn remove(_: &Path, _: &str) -> io::Result<()> {
    Ok(())
}

pub(super) fn list(_: &Path) -> io::Result<BTreeMap<String, SystemTime>> {
    Ok(BTreeMap::new())
}
