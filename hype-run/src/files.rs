//! Counts the open files of a guest, and the size of its `/tmp`.
//!
//! wasmtime's file system has neither a quota nor a limit of open files. The calls in
//! [`filesystem`](crate::filesystem) and [`entries`](crate::entries) check both here.

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use wasmtime_wasi::filesystem::Descriptor;

use crate::limits::OPEN_FILES;
use crate::quota::{BLOCK, CommandEvents, Quota, rounded_up};

/// The open files and directories of a guest, and the quota of its `/tmp`.
///
/// Each call that changes `/tmp` adds or subtracts what it changes; no call lists a directory for that. An entry counts
/// one block, and a regular file its length, once however many names it has. A removed file counts until it is closed.
/// A sparse file counts with its full length.
///
/// Commands change `/tmp` without being counted. In a room the file system of `/tmp` has a limit, and nothing else is
/// needed. Outside of a room, a full `/tmp` is measured again after a command started or ended.
#[derive(Debug)]
pub(crate) struct Files {
    quota: Quota,
    /// Open files by the address of their `Arc`, which is unique while the weak reference exists.
    open: HashMap<usize, Open>,
    /// The counted bytes of files in `/tmp` that were removed while they were open.
    removed: HashMap<Identity, u64>,
}

#[derive(Debug)]
struct Open {
    file: Weak<File>,
    /// The identity of a file in `/tmp`.
    in_tmp: Option<Identity>,
}

/// An entry of a directory in `/tmp`, before a call removes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) identity: Identity,
    /// Whether the entry is a regular file.
    pub(crate) is_file: bool,
    /// The length of a regular file, in bytes.
    pub(crate) size: u64,
    /// The number of names of a regular file.
    pub(crate) links: u64,
}

impl Files {
    /// Creates the state of a guest without open files and with an empty `/tmp`, which has a quota of `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self { quota: Quota::new(limit), open: HashMap::new(), removed: HashMap::new() }
    }

    /// Leaves the limit of `/tmp` to its file system.
    pub(crate) fn lift_quota(&mut self) {
        self.quota.lift();
    }

    /// Lets commands, which cause `events`, change the directory `path` of `/tmp`.
    pub(crate) fn share_tmp(&mut self, path: PathBuf, events: CommandEvents) {
        self.quota.share(path, events);
    }

    /// Returns whether the guest may open one more file.
    pub(crate) fn can_open(&mut self) -> bool {
        if self.open.len() >= OPEN_FILES {
            self.forget_closed_files();
        }
        self.open.len() < OPEN_FILES
    }

    /// Registers an open file or directory. `in_tmp` is its identity if it is in `/tmp`.
    pub(crate) fn register(&mut self, descriptor: &Descriptor, in_tmp: Option<Identity>) {
        self.register_file(opened(descriptor), in_tmp);
    }

    fn register_file(&mut self, file: &Arc<File>, in_tmp: Option<Identity>) {
        // A new file may have the inode number of a removed file that was closed.
        self.forget_removed_files();
        let open = Open { file: Arc::downgrade(file), in_tmp };
        self.open.insert(Arc::as_ptr(file).addr(), open);
    }

    /// Returns whether the descriptor was opened below `/tmp`.
    pub(crate) fn is_in_tmp(&self, descriptor: &Descriptor) -> bool {
        let open = self.open.get(&Arc::as_ptr(opened(descriptor)).addr());
        open.is_some_and(|open| open.in_tmp.is_some())
    }

    /// Counts one more file, directory or link in `/tmp`.
    ///
    /// # Errors
    ///
    /// The error of a full disk when the quota is exceeded.
    pub(crate) fn add_entry(&mut self) -> io::Result<()> {
        self.reserve(BLOCK)
    }

    /// Stops counting an entry that was not created, or was a directory.
    pub(crate) fn release_entry(&mut self) {
        self.quota.release(BLOCK);
    }

    /// Stops counting `entry`, which was removed, and its file, unless that has another name or is open.
    pub(crate) fn remove_entry(&mut self, entry: &Entry) {
        if !entry.is_file || entry.links > 1 {
            return self.quota.release(BLOCK);
        }
        self.forget_removed_files();
        let bytes = BLOCK.saturating_add(rounded_up(entry.size));
        if self.is_open(entry.identity) {
            self.removed.insert(entry.identity, bytes);
        } else {
            self.quota.release(bytes);
        }
    }

    /// Stops counting the content of a file of `size` bytes, which was emptied when it was opened.
    pub(crate) fn release_content(&mut self, size: u64) {
        self.quota.release(rounded_up(size));
    }

    /// Counts the growth of `file` to the length `end`. Returns the length that is now counted.
    ///
    /// # Errors
    ///
    /// The error of a full disk when the quota is exceeded.
    pub(crate) fn grow(&mut self, file: &File, end: u64) -> io::Result<u64> {
        let metadata = file.metadata()?;
        let length = metadata.len();
        let growth = rounded_up(end).saturating_sub(rounded_up(length));
        if growth > 0 {
            self.reserve(growth)?;
            self.change_removed(&metadata, |bytes| bytes.saturating_add(growth));
        }
        Ok(length.max(end))
    }

    /// Counts the actual length of `file` instead of `counted`, after it was changed.
    ///
    /// # Errors
    ///
    /// When its metadata cannot be read.
    pub(crate) fn recount(&mut self, file: &File, counted: u64) -> io::Result<()> {
        let metadata = file.metadata()?;
        let (actual, counted) = (rounded_up(metadata.len()), rounded_up(counted));
        self.quota.add(actual);
        self.quota.release(counted);
        self.change_removed(&metadata, |bytes| {
            bytes.saturating_sub(counted).saturating_add(actual)
        });
        Ok(())
    }

    /// Changes the counted bytes of a file if it was removed.
    fn change_removed(&mut self, metadata: &Metadata, change: impl FnOnce(u64) -> u64) {
        if self.removed.is_empty() {
            return;
        }
        if let Some(bytes) = self.removed.get_mut(&identity(metadata)) {
            *bytes = change(*bytes);
        }
    }

    fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        if !self.quota.fits(bytes) {
            self.forget_closed_files();
        }
        if !self.quota.fits(bytes) && self.quota.is_outdated() {
            self.find_removed_files();
            self.quota.measure(self.removed.values().sum())?;
        }
        self.quota.reserve(bytes)
    }

    fn is_open(&self, file: Identity) -> bool {
        self.open.values().any(|open| open.in_tmp == Some(file) && open.file.strong_count() > 0)
    }

    fn forget_closed_files(&mut self) {
        self.forget_removed_files();
        self.open.retain(|_, open| open.file.strong_count() > 0);
    }

    /// Stops counting removed files that are closed.
    fn forget_removed_files(&mut self) {
        if self.removed.is_empty() {
            return;
        }
        let open = self.open.values().filter(|open| open.file.strong_count() > 0);
        let open: HashSet<Identity> = open.filter_map(|open| open.in_tmp).collect();
        let quota = &mut self.quota;
        self.removed.retain(|file, bytes| {
            let is_open = open.contains(file);
            if !is_open {
                quota.release(*bytes);
            }
            is_open
        });
    }

    /// Finds open files that commands removed.
    fn find_removed_files(&mut self) {
        for open in self.open.values().filter(|open| open.in_tmp.is_some()) {
            let metadata = open.file.upgrade().and_then(|file| file.metadata().ok());
            if let Some(metadata) = metadata.filter(|it| it.is_file() && links(it) == 0) {
                let bytes = BLOCK.saturating_add(rounded_up(metadata.len()));
                self.removed.insert(identity(&metadata), bytes);
            }
        }
    }
}

/// Returns the file behind a descriptor.
pub(crate) fn opened(descriptor: &Descriptor) -> &Arc<File> {
    match descriptor {
        Descriptor::File(file) => &file.file,
        Descriptor::Dir(directory) => &directory.dir,
    }
}

/// Returns the identity of an open file.
///
/// # Errors
///
/// When its metadata cannot be read.
pub(crate) fn file_identity(file: &File) -> io::Result<Identity> {
    file.metadata().map(|metadata| identity(&metadata))
}

#[cfg(unix)]
pub(crate) type Identity = (u64, u64);

/// Returns a number that identifies a file on its machine.
#[cfg(unix)]
pub(crate) fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(unix)]
fn links(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
pub(crate) type Identity = u64;

/// Returns a new number each time, since files have no portable identity. A removed file doesn't count while it is
/// open.
#[cfg(not(unix))]
pub(crate) fn identity(_: &Metadata) -> Identity {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(not(unix))]
fn links(_: &Metadata) -> u64 {
    1
}

#[cfg(unix)]
#[cfg(test)]
mod tests;
