//! Opens files of a guest without blocking, and only regular files and directories.
//!
//! Opening a FIFO blocks a thread until another process opens its other end, and opening a device may have
//! side effects. The kernel resolves the path beneath the directory, as wasmtime does. Where that fails,
//! wasmtime opens the file and returns the exact error.

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorType, ErrorCode, HostDescriptor, OpenFlags, PathFlags,
};

use crate::execution::Guest;
use crate::files::{Identity, file_identity, opened};

/// The arguments of `open-at` besides its directory.
pub(crate) struct Opening {
    pub(crate) path_flags: PathFlags,
    pub(crate) path: String,
    pub(crate) open_flags: OpenFlags,
    pub(crate) flags: DescriptorFlags,
}

/// An opened file or directory, and the effect of opening it.
pub(crate) struct Opened {
    pub(crate) descriptor: Resource<Descriptor>,
    pub(crate) identity: Identity,
    pub(crate) effect: Effect,
}

/// The effect of opening a file, which the quota of `/tmp` counts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Effect {
    /// Whether the file was created.
    pub(crate) is_created: bool,
    /// The length of an existing file before it was truncated, in bytes.
    pub(crate) truncated: u64,
}

impl Guest {
    /// Opens a regular file or a directory, and reports the effect if it `is_in_tmp`. Returns the error `unsupported` for
    /// any other file.
    pub(crate) async fn open(
        &mut self,
        directory: Resource<Descriptor>,
        opening: Opening,
        is_in_tmp: bool,
    ) -> FsResult<Opened> {
        #[cfg(target_os = "linux")]
        {
            let descriptor = self.table.get(&directory)?.clone();
            if let Descriptor::Dir(inside) = descriptor
                && let Some((opened, identity, effect)) =
                    beneath::open(inside, &opening, is_in_tmp).await?
            {
                return Ok(Opened { descriptor: self.table.push(opened)?, identity, effect });
            }
        }
        let Opening { path_flags, path, open_flags, flags } = opening;
        let same = Resource::new_borrow(directory.rep());
        let found = self.filesystem().stat_at(same, path_flags, path.clone()).await.ok();
        if let Some(found) = &found {
            only_files_and_directories(found.type_)?;
        }
        let effect = Effect {
            is_created: open_flags.contains(OpenFlags::CREATE) && found.is_none(),
            truncated: match found {
                Some(found) if open_flags.contains(OpenFlags::TRUNCATE) => found.size,
                _ => 0,
            },
        };
        // A command may put a FIFO in the place of the file that was found; opening that blocks a thread.
        let elsewhere = match is_in_tmp {
            true => Some(self.open_elsewhere(&directory)?),
            false => None,
        };
        let at = elsewhere.as_ref().map_or(directory.rep(), Resource::rep);
        let at = Resource::new_borrow(at);
        let opened_at = self.filesystem().open_at(at, path_flags, path, open_flags, flags).await;
        if let Some(elsewhere) = elsewhere {
            self.table.delete(elsewhere)?;
        }
        let descriptor = opened_at?;
        let identity = file_identity(opened(self.table.get(&descriptor)?))?;
        Ok(Opened { descriptor, identity, effect })
    }
}

fn only_files_and_directories(found: DescriptorType) -> Result<(), ErrorCode> {
    match found {
        // A symbolic link here is not followed: opening it fails.
        DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink => {
            Ok(())
        }
        _ => Err(ErrorCode::Unsupported),
    }
}

#[cfg(target_os = "linux")]
mod beneath {
    use std::fs::{File, Metadata};
    use std::io;
    use std::sync::Arc;

    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
    use wasmtime_wasi::OpenMode;
    use wasmtime_wasi::filesystem::{Descriptor, Dir, File as OpenFile};

    use super::{DescriptorFlags, Effect, ErrorCode, Identity, OpenFlags, Opening, PathFlags};
    use crate::files::identity;

    /// Opens the file. Returns `None` on any error, so that wasmtime opens the file and returns the exact error.
    pub(super) async fn open(
        directory: Dir,
        opening: &Opening,
        is_in_tmp: bool,
    ) -> Result<Option<(Descriptor, Identity, Effect)>, ErrorCode> {
        let Some((flags, mode)) = flags(&directory, opening) else { return Ok(None) };
        let opened = match is_in_tmp {
            true => open_counted(&directory.dir, &opening.path, flags),
            false => {
                let (start, path) = (Arc::clone(&directory.dir), opening.path.clone());
                let open = move || open_file(&start, &path, flags);
                let opened = tokio::task::spawn_blocking(open).await;
                let opened = opened.unwrap_or_else(|error| Err(io::Error::other(error)));
                opened.map(|(file, metadata)| (file, metadata, Effect::default()))
            }
        };
        let Ok((file, metadata, effect)) = opened else { return Ok(None) };
        let perms = directory.perms;
        let descriptor = if metadata.is_dir() {
            Descriptor::Dir(Dir::new(file, perms, mode, is_in_tmp))
        } else if opening.open_flags.contains(OpenFlags::DIRECTORY) {
            return Err(ErrorCode::NotDirectory);
        } else if metadata.is_file() {
            Descriptor::File(OpenFile::new(file, perms, mode, is_in_tmp))
        } else {
            return Err(ErrorCode::Unsupported);
        };
        Ok(Some((descriptor, identity(&metadata), effect)))
    }

    fn open_file(start: &File, path: &str, flags: OFlags) -> io::Result<(File, Metadata)> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let creation = match flags.contains(OFlags::CREATE) {
            true => Mode::from_bits_truncate(0o666),
            false => Mode::empty(),
        };
        let file = File::from(openat2(start, path, flags, creation, resolve)?);
        let metadata = file.metadata()?;
        Ok((file, metadata))
    }

    /// Opens a file in steps that show whether it is created, and how long it was before it is truncated.
    fn open_counted(
        start: &File,
        path: &str,
        flags: OFlags,
    ) -> io::Result<(File, Metadata, Effect)> {
        let mut effect = Effect::default();
        let existing = flags - (OFlags::CREATE | OFlags::EXCL | OFlags::TRUNC);
        if flags.contains(OFlags::CREATE) {
            match open_file(start, path, existing | OFlags::CREATE | OFlags::EXCL) {
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists
                        && !flags.contains(OFlags::EXCL) => {}
                created => {
                    effect.is_created = true;
                    return created.map(|(file, metadata)| (file, metadata, effect));
                }
            }
        }
        let (file, metadata) = open_file(start, path, existing)?;
        if flags.contains(OFlags::TRUNC) && metadata.is_file() {
            effect.truncated = metadata.len();
            file.set_len(0)?;
        }
        Ok((file, metadata, effect))
    }

    /// Returns the flags of the system call, which are the same as wasmtime's, and the mode of the descriptor.
    /// Returns `None` for flags that wasmtime rejects.
    fn flags(directory: &Dir, opening: &Opening) -> Option<(OFlags, OpenMode)> {
        let Opening { path_flags, open_flags, flags: requested, .. } = opening;
        let syncs = DescriptorFlags::FILE_INTEGRITY_SYNC
            | DescriptorFlags::DATA_INTEGRITY_SYNC
            | DescriptorFlags::REQUESTED_WRITE_SYNC;
        let creating = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
        let is_rejected = requested.intersects(syncs)
            || open_flags.contains(OpenFlags::DIRECTORY) && open_flags.intersects(creating);
        let creates = open_flags.contains(OpenFlags::CREATE);
        let truncates = open_flags.contains(OpenFlags::TRUNCATE);
        let writes = creates || truncates || requested.contains(DescriptorFlags::WRITE);
        let reads = requested.contains(DescriptorFlags::READ)
            || !requested.contains(DescriptorFlags::WRITE);
        if is_rejected || writes && directory.perms.write_not_permitted() {
            return None;
        }
        let mut flags = OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        flags |= match (reads, writes) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            _ => OFlags::RDONLY,
        };
        let is_exclusive = creates && open_flags.contains(OpenFlags::EXCLUSIVE);
        flags.set(OFlags::CREATE, creates);
        flags.set(OFlags::EXCL, is_exclusive);
        flags.set(OFlags::TRUNC, truncates && !is_exclusive);
        flags.set(OFlags::NOFOLLOW, !path_flags.contains(PathFlags::SYMLINK_FOLLOW));
        let mut mode = OpenMode::empty();
        mode.set(OpenMode::READ, reads);
        mode.set(OpenMode::WRITE, writes);
        Some((flags, mode))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use wasmtime_wasi::FsPerms;
    use wasmtime_wasi::OpenMode;
    use wasmtime_wasi::filesystem::Dir;

    use super::*;
    use crate::blocking::poll_without_threads;

    #[test]
    fn only_a_file_of_tmp_is_opened_without_another_thread() {
        let directory = tempfile::tempdir().unwrap();
        let file = std::fs::File::open(directory.path()).unwrap();
        let mode = OpenMode::READ | OpenMode::WRITE;
        let inside = Dir::new(file, FsPerms::ReadWrite, mode, true);
        let opening = Opening {
            path_flags: PathFlags::empty(),
            path: "a".to_owned(),
            open_flags: OpenFlags::CREATE,
            flags: DescriptorFlags::WRITE,
        };
        let is_pending = |is_in_tmp| {
            let open = beneath::open(inside.clone(), &opening, is_in_tmp);
            poll_without_threads(open).is_pending()
        };
        assert!(is_pending(false));
        assert!(!is_pending(true) && directory.path().join("a").exists());
    }
}
