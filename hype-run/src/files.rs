//! The files that a guest has open, and how full its `/tmp` is.
//!
//! wasmtime's file system knows neither a quota nor a number of open files. Both are counted here,
//! for the calls in [`filesystem`](crate::filesystem).

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use wasmtime_wasi::filesystem::Descriptor;

use crate::limits::OPEN_FILES;

/// What a file, directory or link takes besides what is written into it, and the unit in which files
/// grow, in bytes: a block of most file systems.
pub(crate) const BLOCK: u64 = 4 << 10;

/// The files and directories of a guest.
///
/// `/tmp` is counted as it grows. When it seems full it is measured, since what was removed or cut
/// is room again. Sparse files count as if they were not.
#[derive(Debug)]
pub(crate) struct Files {
    /// Where `/tmp` is, once there is one.
    tmp: Option<PathBuf>,
    limit: u64,
    used: u64,
    /// By their addresses, which nothing else has as long as they are here.
    open: HashMap<usize, Open>,
}

#[derive(Debug)]
struct Open {
    file: Weak<File>,
    in_tmp: bool,
}

impl Files {
    /// Nothing is open, and there is no `/tmp`, which may hold `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self { tmp: None, limit, used: 0, open: HashMap::new() }
    }

    /// Makes the empty directory `tmp` the guest's `/tmp`.
    pub(crate) fn show_tmp(&mut self, tmp: PathBuf) {
        self.tmp = Some(tmp);
    }

    /// Whether a guest may open one more.
    pub(crate) fn has_room(&mut self) -> bool {
        if self.open.len() >= OPEN_FILES {
            self.open.retain(|_, open| open.file.strong_count() > 0);
        }
        self.open.len() < OPEN_FILES
    }

    /// Enters what was opened.
    pub(crate) fn enter(&mut self, descriptor: &Descriptor, in_tmp: bool) {
        let file = opened(descriptor);
        let open = Open { file: Arc::downgrade(file), in_tmp };
        self.open.insert(Arc::as_ptr(file).addr(), open);
    }

    /// Whether it was opened below `/tmp`.
    pub(crate) fn is_in_tmp(&self, descriptor: &Descriptor) -> bool {
        self.open.get(&Arc::as_ptr(opened(descriptor)).addr()).is_some_and(|open| open.in_tmp)
    }

    /// Makes room for one more file, directory or link in `/tmp`.
    ///
    /// # Errors
    ///
    /// When no space is left, as of a disk that is full.
    pub(crate) fn add_entry(&mut self) -> io::Result<()> {
        self.take(BLOCK)
    }

    /// Makes room for `file`, which is in `/tmp`, to reach to `end`.
    ///
    /// # Errors
    ///
    /// When no space is left, as of a disk that is full.
    pub(crate) fn grow(&mut self, file: &File, end: u64) -> io::Result<()> {
        let grown = blocks(end).saturating_sub(blocks(file.metadata()?.len()));
        if grown == 0 { Ok(()) } else { self.take(grown) }
    }

    fn take(&mut self, bytes: u64) -> io::Result<()> {
        if self.used.saturating_add(bytes) > self.limit {
            self.used = self.measure()?;
        }
        let used = self.used.saturating_add(bytes);
        if used > self.limit {
            return Err(no_space());
        }
        self.used = used;
        Ok(())
    }

    /// What is in `/tmp`, and what is open of it though it was removed.
    fn measure(&self) -> io::Result<u64> {
        let mut seen = HashSet::new();
        let mut used = 0_u64;
        let mut directories: Vec<_> = self.tmp.iter().cloned().collect();
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory)? {
                let entry = entry?;
                let metadata = entry.metadata()?;
                used += BLOCK;
                if metadata.is_dir() {
                    directories.push(entry.path());
                } else if seen.insert(identity(&metadata)) {
                    used += blocks(metadata.len());
                }
            }
        }
        for file in self.open.values().filter(|open| open.in_tmp) {
            let Some(file) = file.file.upgrade() else { continue };
            let metadata = file.metadata()?;
            if metadata.is_file() && seen.insert(identity(&metadata)) {
                used += BLOCK + blocks(metadata.len());
            }
        }
        Ok(used)
    }
}

/// The file behind a descriptor.
pub(crate) fn opened(descriptor: &Descriptor) -> &Arc<File> {
    match descriptor {
        Descriptor::File(file) => &file.file,
        Descriptor::Dir(directory) => &directory.dir,
    }
}

fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).saturating_mul(BLOCK)
}

#[cfg(unix)]
pub(crate) type Identity = (u64, u64);

/// What tells a file from all others of its machine.
#[cfg(unix)]
pub(crate) fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// The error of a disk that is full, as wasmtime knows it.
#[cfg(unix)]
fn no_space() -> io::Error {
    rustix::io::Errno::NOSPC.into()
}

#[cfg(not(unix))]
pub(crate) type Identity = u64;

/// Each time another: where files cannot be told apart, one with two names counts twice.
#[cfg(not(unix))]
pub(crate) fn identity(_: &Metadata) -> Identity {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(not(unix))]
fn no_space() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A `/tmp` of ten blocks.
    fn tmp() -> (tempfile::TempDir, Files) {
        let directory = tempfile::tempdir().unwrap();
        let mut files = Files::new(10 * BLOCK);
        files.show_tmp(directory.path().to_owned());
        (directory, files)
    }

    fn is_full(result: io::Result<()>) -> bool {
        result.is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
    }

    #[test]
    fn growth_counts_and_writing_over_does_not() {
        let (directory, mut files) = tmp();
        let mut file = File::create_new(directory.path().join("a")).unwrap();
        files.add_entry().unwrap();
        files.grow(&file, 9 * BLOCK).unwrap();
        file.write_all(&[1; 9 * BLOCK as usize]).unwrap();
        files.grow(&file, 9 * BLOCK).unwrap();
        assert!(is_full(files.grow(&file, 9 * BLOCK + 1)));
        assert!(is_full(files.grow(&file, u64::MAX)));
        assert!(is_full(files.add_entry()));
    }

    #[cfg(unix)]
    #[test]
    fn what_was_removed_is_room_again_once_it_is_closed() {
        let (directory, mut files) = tmp();
        let path = directory.path().join("a");
        let file = Arc::new(File::create_new(&path).unwrap());
        let open = Open { file: Arc::downgrade(&file), in_tmp: true };
        files.open.insert(Arc::as_ptr(&file).addr(), open);
        files.add_entry().unwrap();
        files.grow(&file, 9 * BLOCK).unwrap();
        file.set_len(9 * BLOCK).unwrap();
        std::fs::remove_file(path).unwrap();
        assert!(is_full(files.add_entry()));
        drop(file);
        files.add_entry().unwrap();
        assert_eq!(files.used, BLOCK);
    }

    #[cfg(unix)]
    #[test]
    fn entries_count_and_links_to_one_file_count_it_once() {
        let (directory, mut files) = tmp();
        let inner = directory.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("a"), [1]).unwrap();
        std::fs::hard_link(inner.join("a"), inner.join("b")).unwrap();
        std::os::unix::fs::symlink("/", inner.join("c")).unwrap();
        files.used = files.limit;
        files.add_entry().unwrap();
        // A directory, three entries in it, the block of the file and that of the link's text.
        assert_eq!(files.used, (1 + 3 + 1 + 1 + 1) * BLOCK);
    }
}
