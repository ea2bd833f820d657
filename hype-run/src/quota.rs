//! Counts the bytes of a guest's `/tmp` against its limit.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::blocking::without_delaying_others;
use crate::files::identity;

/// The size that a file, directory or link counts besides its content, and the unit in which files grow,
/// in bytes: a block of most file systems.
pub(crate) const BLOCK: u64 = 4 << 10;

/// Returns `bytes` rounded up to whole blocks.
pub(crate) fn rounded_up(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).saturating_mul(BLOCK)
}

/// The number of times that a command of a guest started or ended. Clones share the number.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommandEvents(Arc<AtomicU64>);

impl CommandEvents {
    /// Records that a command started or ended.
    pub(crate) fn record(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counted bytes of a guest's `/tmp`, and their limit.
#[derive(Debug)]
pub(crate) struct Quota {
    limit: u64,
    used: u64,
    shared: Option<SharedTmp>,
}

/// A `/tmp` that commands can change without being counted.
#[derive(Debug)]
struct SharedTmp {
    path: PathBuf,
    events: CommandEvents,
    /// The number of events before the last measurement.
    measured: u64,
}

impl Quota {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, used: 0, shared: None }
    }

    /// Counts without a limit, since the file system of `/tmp` has one.
    pub(crate) fn lift(&mut self) {
        self.limit = u64::MAX;
    }

    /// Lets commands, which cause `events`, change the directory `path` of `/tmp`.
    pub(crate) fn share(&mut self, path: PathBuf, events: CommandEvents) {
        self.shared = Some(SharedTmp { path, events, measured: 0 });
    }

    /// Returns whether `bytes` more fit.
    pub(crate) fn fits(&self, bytes: u64) -> bool {
        self.used.saturating_add(bytes) <= self.limit
    }

    /// Counts `bytes` more.
    ///
    /// # Errors
    ///
    /// The error of a full disk when they don't fit.
    pub(crate) fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        if !self.fits(bytes) {
            return Err(no_space());
        }
        self.used = self.used.saturating_add(bytes);
        Ok(())
    }

    /// Counts `bytes` more, even beyond the limit.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.used = self.used.saturating_add(bytes);
    }

    /// Counts `bytes` less.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Returns whether a command started or ended since the last measurement, and may have changed `/tmp`.
    pub(crate) fn is_outdated(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.events.count() != shared.measured)
    }

    /// Measures a `/tmp` that commands have changed. `removed` are the bytes of removed files that are still open.
    ///
    /// The events of commands bound the number of measurements, and the limit bounds the number of entries that one
    /// visits.
    ///
    /// # Errors
    ///
    /// When a directory cannot be listed.
    pub(crate) fn measure(&mut self, removed: u64) -> io::Result<()> {
        if let Some(shared) = &mut self.shared {
            shared.measured = shared.events.count();
            let limit = self.limit.saturating_sub(removed);
            let size = without_delaying_others(|| size_of_tree(&shared.path, limit))?;
            self.used = size.saturating_add(removed);
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        self.used
    }
}

/// Returns the size of everything in the directory `root`. Stops when it exceeds `limit`.
fn size_of_tree(root: &Path, limit: u64) -> io::Result<u64> {
    let mut seen = HashSet::new();
    let mut size = 0_u64;
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory)? {
            if size > limit {
                return Ok(size);
            }
            let entry = entry?;
            let metadata = entry.metadata()?;
            size += BLOCK;
            if metadata.is_dir() {
                directories.push(entry.path());
            } else if metadata.is_file() && seen.insert(identity(&metadata)) {
                size = size.saturating_add(rounded_up(metadata.len()));
            }
        }
    }
    Ok(size)
}

/// Returns the error of a full disk, which wasmtime maps to its code.
#[cfg(unix)]
fn no_space() -> io::Error {
    rustix::io::Errno::NOSPC.into()
}

#[cfg(not(unix))]
fn no_space() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_counts_hard_links_once() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("a"), [1]).unwrap();
        std::fs::hard_link(inner.join("a"), inner.join("b")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/", inner.join("c")).unwrap();
        // The directory, its three entries and the file's block.
        assert_eq!(size_of_tree(directory.path(), u64::MAX).unwrap(), 5 * BLOCK);
    }

    #[test]
    fn measurement_stops_beyond_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..20 {
            std::fs::write(directory.path().join(number.to_string()), []).unwrap();
        }
        assert_eq!(size_of_tree(directory.path(), 10 * BLOCK).unwrap(), 11 * BLOCK);
    }

    #[test]
    fn tmp_is_measured_once_per_event_of_a_command() {
        let directory = tempfile::tempdir().unwrap();
        let events = CommandEvents::default();
        let mut quota = Quota::new(10 * BLOCK);
        assert!(!quota.is_outdated());
        quota.share(directory.path().to_owned(), events.clone());
        quota.add(10 * BLOCK);
        assert!(!quota.is_outdated());
        events.record();
        assert!(quota.is_outdated());
        quota.measure(BLOCK).unwrap();
        assert!(!quota.is_outdated() && quota.used == BLOCK);
        events.record();
        assert!(quota.is_outdated());
    }
}
