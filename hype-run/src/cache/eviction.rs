//! Evicts the least recently used files of a cache to keep it below its maximum size.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The minimum size that a file counts, in bytes. It bounds the number of files, so that listing them
/// is fast.
const MIN_COST: u64 = 64 << 10;

/// The divisor of the maximum size that a process reserves at once, before it lists the cache again.
/// Other processes write to the cache too.
const RESERVED_SHARE: u64 = 16;

/// The space that this process has reserved in a cache and not used yet.
#[derive(Debug)]
pub(super) struct Budget {
    max_size: u64,
    left: Mutex<u64>,
}

/// A file of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    path: PathBuf,
    size: u64,
    last_used: SystemTime,
}

impl Budget {
    /// Creates an empty budget of a cache with a maximum size of `max_size` bytes.
    pub(super) fn new(max_size: u64) -> Self {
        Self { max_size, left: Mutex::default() }
    }

    /// Reserves space for a file of `size` bytes. Evicts the least recently used of `entries` if
    /// necessary; a process that reads an evicted file can read on. Returns false if the file is larger
    /// than the whole cache.
    ///
    /// # Errors
    ///
    /// When the entries cannot be listed or removed.
    pub(super) fn reserve(
        &self,
        size: u64,
        entries: impl FnOnce() -> io::Result<Vec<Entry>>,
    ) -> io::Result<bool> {
        let cost = cost(size);
        if cost > self.max_size {
            return Ok(false);
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if *left < cost {
            let reserved = cost.max(self.max_size / RESERVED_SHARE);
            remove(to_evict(entries()?, self.max_size - reserved))?;
            *left = reserved;
        }
        *left -= cost;
        Ok(true)
    }
}

/// Returns the size that a file of `size` bytes counts.
fn cost(size: u64) -> u64 {
    size.max(MIN_COST)
}

/// Returns the least recently used of `entries`, so that the rest counts at most `max_size` bytes.
fn to_evict(mut entries: Vec<Entry>, max_size: u64) -> Vec<Entry> {
    entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.last_used));
    let mut total = 0_u64;
    let kept = entries.iter().take_while(|entry| {
        total = total.saturating_add(cost(entry.size));
        total <= max_size
    });
    entries.split_off(kept.count())
}

fn remove(entries: Vec<Entry>) -> io::Result<()> {
    for entry in entries {
        match std::fs::remove_file(entry.path) {
            // Another process has evicted it concurrently.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            end => end?,
        }
    }
    Ok(())
}

/// Returns the files in `directory` whose names satisfy `is_entry`. Returns none if the directory doesn't
/// exist.
pub(super) fn entries(directory: &Path, is_entry: impl Fn(&str) -> bool) -> io::Result<Vec<Entry>> {
    let found = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found?,
    };
    let mut entries = Vec::new();
    for entry in found {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(&is_entry) {
            continue;
        }
        // A file that was evicted concurrently has no metadata.
        if let Ok(metadata) = entry.metadata()
            && !metadata.is_dir()
        {
            let (path, size) = (entry.path(), metadata.len());
            entries.push(Entry { path, size, last_used: metadata.modified()? });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn entry(name: &str, size: u64, age: u64) -> Entry {
        let last_used = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 - age);
        Entry { path: name.into(), size, last_used }
    }

    fn names(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.path.to_str().unwrap()).collect()
    }

    #[test]
    fn least_recently_used_entries_are_evicted() {
        let entries = || vec![entry("a", 3 << 20, 1), entry("b", 3 << 20, 9), entry("c", 1, 5)];
        assert!(to_evict(entries(), 7 << 20).is_empty());
        assert_eq!(names(&to_evict(entries(), 6 << 20)), ["b"]);
        assert_eq!(names(&to_evict(entries(), (3 << 20) + MIN_COST)), ["b"]);
        // An older entry is evicted before a newer one, even if only the older one would fit.
        assert_eq!(names(&to_evict(entries(), 3 << 20)), ["c", "b"]);
        assert_eq!(names(&to_evict(entries(), 0)), ["a", "c", "b"]);
    }

    #[test]
    fn huge_sizes_do_not_overflow() {
        let entries = vec![entry("a", u64::MAX, 1), entry("b", u64::MAX, 2)];
        assert_eq!(names(&to_evict(entries, 1 << 30)), ["a", "b"]);
    }

    #[test]
    fn many_small_files_share_one_listing() {
        let budget = Budget::new(RESERVED_SHARE * 10 * MIN_COST);
        let mut listings = 0;
        for _ in 0..20 {
            let has_space = budget.reserve(1, || {
                listings += 1;
                Ok(Vec::new())
            });
            assert!(has_space.unwrap());
        }
        assert_eq!(listings, 2);
    }
}
