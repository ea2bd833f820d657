//! How full a cache is, and what makes room in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// What the smallest file counts, in bytes, so that there are never so many that looking through all
/// of them takes long.
const LEAST: u64 = 64 << 10;

/// Which part of its bound a process may fill before it looks again how full the cache is: the others
/// fill it, too.
const SHARE: u64 = 16;

/// Room that was made and is not filled yet.
#[derive(Debug)]
pub(super) struct Room {
    bound: u64,
    left: Mutex<u64>,
}

/// A file of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

impl Room {
    /// None yet, in a cache that may have `bound` bytes.
    pub(super) fn new(bound: u64) -> Self {
        Self { bound, left: Mutex::default() }
    }

    /// Makes room for a file of `size` bytes, and tells whether a file may be that large. What was
    /// not used for longest is removed for it; who reads that reads on.
    ///
    /// # Errors
    ///
    /// When there is no room, and none can be made.
    pub(super) fn take(
        &self,
        size: u64,
        entries: impl FnOnce() -> io::Result<Vec<Entry>>,
    ) -> io::Result<bool> {
        let cost = cost(size);
        if cost > self.bound {
            return Ok(false);
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if *left < cost {
            let wanted = cost.max(self.bound / SHARE);
            remove(superfluous(entries()?, self.bound - wanted))?;
            *left = wanted;
        }
        *left -= cost;
        Ok(true)
    }
}

/// What a file takes, as it counts.
fn cost(size: u64) -> u64 {
    size.max(LEAST)
}

/// Those of `entries` that must go for the rest to take no more than `at_most` bytes.
fn superfluous(mut entries: Vec<Entry>, at_most: u64) -> Vec<Entry> {
    entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.used));
    let mut taken = 0_u64;
    let kept = entries.iter().take_while(|entry| {
        taken = taken.saturating_add(cost(entry.size));
        taken <= at_most
    });
    entries.split_off(kept.count())
}

fn remove(entries: Vec<Entry>) -> io::Result<()> {
    for entry in entries {
        match std::fs::remove_file(entry.path) {
            // Another process makes room at the same time.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            end => end?,
        }
    }
    Ok(())
}

/// The files in `directory` whose names are the cache's own; none if it isn't there.
pub(super) fn entries(directory: &Path, is_ours: impl Fn(&str) -> bool) -> io::Result<Vec<Entry>> {
    let found = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found?,
    };
    let mut entries = Vec::new();
    for entry in found {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(&is_ours) {
            continue;
        }
        // One that has just gone takes no room.
        if let Ok(metadata) = entry.metadata()
            && !metadata.is_dir()
        {
            let (path, size) = (entry.path(), metadata.len());
            entries.push(Entry { path, size, used: metadata.modified()? });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn entry(name: &str, size: u64, age: u64) -> Entry {
        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 - age);
        Entry { path: name.into(), size, used }
    }

    fn names(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.path.to_str().unwrap()).collect()
    }

    #[test]
    fn what_was_not_used_for_longest_goes() {
        let entries = || vec![entry("a", 3 << 20, 1), entry("b", 3 << 20, 9), entry("c", 1, 5)];
        assert!(superfluous(entries(), 7 << 20).is_empty());
        assert_eq!(names(&superfluous(entries(), 6 << 20)), ["b"]);
        assert_eq!(names(&superfluous(entries(), (3 << 20) + LEAST)), ["b"]);
        // An old one that would fit beside a younger one that doesn't is still the older.
        assert_eq!(names(&superfluous(entries(), 3 << 20)), ["c", "b"]);
        assert_eq!(names(&superfluous(entries(), 0)), ["a", "c", "b"]);
    }

    #[test]
    fn sizes_that_nothing_has_overflow_nothing() {
        let entries = vec![entry("a", u64::MAX, 1), entry("b", u64::MAX, 2)];
        assert_eq!(names(&superfluous(entries, 1 << 30)), ["a", "b"]);
    }

    #[test]
    fn a_cache_is_looked_through_once_for_many_small_files() {
        let room = Room::new(SHARE * 10 * LEAST);
        let mut looked = 0;
        for _ in 0..20 {
            let is_possible = room.take(1, || {
                looked += 1;
                Ok(Vec::new())
            });
            assert!(is_possible.unwrap());
        }
        assert_eq!(looked, 2);
    }
}
