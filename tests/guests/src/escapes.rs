//! File system calls that the standard library would not make.

use serde::{Deserialize, Serialize};

/// A file system call. `at`, `from` and `to` name a directory: the guest path of a mount, or a name that
/// [`OpenDirectory`](Self::OpenDirectory) assigned. Paths are relative to it, and reach the host unchanged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum FileCall {
    /// Reads a file; `follow` sets whether links are followed.
    Read { at: String, path: String, follow: bool },
    /// Writes a file.
    Write { at: String, path: String, create: bool, truncate: bool },
    /// Opens a directory and assigns it `name`.
    OpenDirectory { at: String, path: String, name: String },
    /// Lists the names in a directory.
    List { at: String, path: String },
    /// Returns the target of a link.
    ReadLink { at: String, path: String },
    /// Returns the size of a file.
    Stat { at: String, path: String, follow: bool },
    /// Creates a symbolic link.
    Symlink { target: String, at: String, path: String },
    /// Creates a hard link.
    Link { from: String, old: String, follow: bool, to: String, new: String },
    /// Moves a file or directory.
    Rename { from: String, old: String, to: String, new: String },
    /// Removes a file.
    Unlink { at: String, path: String },
    /// Removes a directory.
    RemoveDirectory { at: String, path: String },
    /// Creates a directory.
    MakeDirectory { at: String, path: String },
    /// Sets the access and modification times to 1970.
    SetTimes { at: String, path: String, follow: bool },
}

/// Makes all `calls`. Returns the result or the error's name of each.
#[hype::function]
pub fn attempt(calls: Vec<FileCall>) -> Vec<Result<String, String>> {
    attempt_all(calls)
}

#[cfg(not(target_family = "wasm"))]
fn attempt_all(_: Vec<FileCall>) -> Vec<Result<String, String>> {
    Vec::new()
}

#[cfg(target_family = "wasm")]
fn attempt_all(calls: Vec<FileCall>) -> Vec<Result<String, String>> {
    let mut directories = wasm::mounts();
    let mut results = Vec::new();
    for call in &calls {
        let result = wasm::make(call, &mut directories);
        results.push(result.map_err(|error| error.name().to_owned()));
    }
    results
}

#[cfg(target_family = "wasm")]
mod wasm {
    use std::collections::HashMap;

    use wasi::{
        Ciovec, Errno, FSTFLAGS_ATIM, FSTFLAGS_MTIM, Fd, Iovec, LOOKUPFLAGS_SYMLINK_FOLLOW,
        OFLAGS_CREAT, OFLAGS_DIRECTORY, OFLAGS_TRUNC, Oflags, RIGHTS_FD_READ, RIGHTS_FD_WRITE,
    };

    use super::FileCall;

    /// Returns the mounts by their guest paths.
    pub(super) fn mounts() -> HashMap<String, Fd> {
        let mut mounts = HashMap::new();
        for fd in 3.. {
            // SAFETY: the host only writes to `path`, at most the length that it reported.
            unsafe {
                let Ok(mount) = wasi::fd_prestat_get(fd) else { break };
                let mut path = vec![0; mount.u.dir.pr_name_len];
                if wasi::fd_prestat_dir_name(fd, path.as_mut_ptr(), path.len()).is_ok() {
                    mounts.insert(String::from_utf8_lossy(&path).into_owned(), fd);
                }
            }
        }
        mounts
    }

    /// Makes one call.
    pub(super) fn make(
        call: &FileCall,
        directories: &mut HashMap<String, Fd>,
    ) -> Result<String, Errno> {
        use FileCall::*;
        let fd = |name: &str| directories.get(name).copied().ok_or(wasi::ERRNO_BADF);
        let flags = |follow| if follow { LOOKUPFLAGS_SYMLINK_FOLLOW } else { 0 };
        let done = |()| String::new();
        // SAFETY: the host reads the paths and buffers passed to it, and writes only to mutably borrowed ones, within
        // their length.
        unsafe {
            match call {
                Read { at, path, follow } => read(open(fd(at)?, path, *follow, 0, false)?),
                Write { at, path, create, truncate } => {
                    let create = if *create { OFLAGS_CREAT } else { 0 };
                    let truncate = if *truncate { OFLAGS_TRUNC } else { 0 };
                    let file = open(fd(at)?, path, true, create | truncate, true)?;
                    let text = b"written by a guest";
                    let bytes = Ciovec { buf: text.as_ptr(), buf_len: text.len() };
                    let written = wasi::fd_write(file, &[bytes]);
                    wasi::fd_close(file)?;
                    written.map(|written| written.to_string())
                }
                OpenDirectory { at, path, name } => {
                    let opened = open(fd(at)?, path, true, OFLAGS_DIRECTORY, false)?;
                    directories.insert(name.clone(), opened);
                    Ok(String::new())
                }
                List { at, path } => list(open(fd(at)?, path, true, OFLAGS_DIRECTORY, false)?),
                ReadLink { at, path } => {
                    let mut target = [0; 4096];
                    let length =
                        wasi::path_readlink(fd(at)?, path, target.as_mut_ptr(), target.len())?;
                    Ok(String::from_utf8_lossy(&target[..length]).into_owned())
                }
                Stat { at, path, follow } => wasi::path_filestat_get(fd(at)?, flags(*follow), path)
                    .map(|stat| stat.size.to_string()),
                Symlink { target, at, path } => wasi::path_symlink(target, fd(at)?, path).map(done),
                Link { from, old, follow, to, new } => {
                    wasi::path_link(fd(from)?, flags(*follow), old, fd(to)?, new).map(done)
                }
                Rename { from, old, to, new } => {
                    wasi::path_rename(fd(from)?, old, fd(to)?, new).map(done)
                }
                Unlink { at, path } => wasi::path_unlink_file(fd(at)?, path).map(done),
                RemoveDirectory { at, path } => {
                    wasi::path_remove_directory(fd(at)?, path).map(done)
                }
                MakeDirectory { at, path } => wasi::path_create_directory(fd(at)?, path).map(done),
                SetTimes { at, path, follow } => {
                    let which = FSTFLAGS_ATIM | FSTFLAGS_MTIM;
                    wasi::path_filestat_set_times(fd(at)?, flags(*follow), path, 0, 0, which)
                        .map(done)
                }
            }
        }
    }

    unsafe fn open(
        at: Fd,
        path: &str,
        follow: bool,
        how: Oflags,
        write: bool,
    ) -> Result<Fd, Errno> {
        let follow = if follow { LOOKUPFLAGS_SYMLINK_FOLLOW } else { 0 };
        let rights = RIGHTS_FD_READ | if write { RIGHTS_FD_WRITE } else { 0 };
        // SAFETY: the host only reads the path.
        unsafe { wasi::path_open(at, follow, path, how, rights, rights, 0) }
    }

    unsafe fn read(file: Fd) -> Result<String, Errno> {
        let mut text = [0; 4096];
        let into = Iovec { buf: text.as_mut_ptr(), buf_len: text.len() };
        // SAFETY: the host only writes to `text`.
        let length = unsafe {
            let length = wasi::fd_read(file, &[into]);
            wasi::fd_close(file)?;
            length?
        };
        Ok(String::from_utf8_lossy(&text[..length]).into_owned())
    }

    unsafe fn list(directory: Fd) -> Result<String, Errno> {
        let mut entries = [0; 4096];
        // SAFETY: the host only writes to `entries`.
        let length = unsafe {
            let length = wasi::fd_readdir(directory, entries.as_mut_ptr(), entries.len(), 0);
            wasi::fd_close(directory)?;
            length?
        };
        Ok(String::from_utf8_lossy(&entries[..length]).into_owned())
    }
}
