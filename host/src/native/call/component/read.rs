//! Reads component files of a limited size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hype_wire::ComponentRef;

/// Reads the file at `path`, unless it is larger than a component may be.
pub(super) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if let Some(problem) = size_problem(size) {
        return Err(std::io::Error::other(format!("it {problem}")));
    }
    // A device has no size, and a file may grow.
    let mut bytes = Vec::new();
    file.take(ComponentRef::MAX_SIZE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the problem of a component of `size` bytes, if it is too large.
pub(super) fn size_problem(size: u64) -> Option<String> {
    let max = ComponentRef::MAX_SIZE;
    let problem =
        format!("has {size} bytes, more than the {max} of the largest component: strip it");
    (size > max).then_some(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_file_is_rejected_before_it_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(ComponentRef::MAX_SIZE + 1).unwrap();
        let error = read(file.path()).unwrap_err().to_string();
        assert!(error.contains("has 536870913 bytes, more than the 536870912"), "{error}");
    }
}
