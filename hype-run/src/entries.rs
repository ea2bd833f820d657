//! The calls that create, rename and remove entries of directories. Those of `/tmp` are counted.

use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, HostDescriptor, PathFlags};

use crate::execution::Guest;
use crate::files::Entry;
use crate::filesystem::{CallResult, to_call_result};

/// Links the calls that create an entry.
pub(crate) fn link_creations(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    types.func_wrap_async(
        "[method]descriptor.create-directory-at",
        |mut store: StoreContextMut<'_, Guest>, (at, path): (Resource<Descriptor>, String)| {
            Box::new(async move {
                let guest = store.data_mut();
                let in_tmp = guest.is_in_tmp(&at)?;
                if let Some(full) = guest.reserve_entry(in_tmp) {
                    return Ok((Err(full),));
                }
                let created = guest.filesystem().create_directory_at(at, path).await;
                guest.after_creation(created, in_tmp)
            })
        },
    )?;
    type SymlinkArguments = (Resource<Descriptor>, String, String);
    types.func_wrap_async(
        "[method]descriptor.symlink-at",
        |mut store: StoreContextMut<'_, Guest>, (at, target, path): SymlinkArguments| {
            Box::new(async move {
                let guest = store.data_mut();
                let in_tmp = guest.is_in_tmp(&at)?;
                if let Some(full) = guest.reserve_entry(in_tmp) {
                    return Ok((Err(full),));
                }
                let created = guest.filesystem().symlink_at(at, target, path).await;
                guest.after_creation(created, in_tmp)
            })
        },
    )?;
    type LinkArguments = (Resource<Descriptor>, PathFlags, String, Resource<Descriptor>, String);
    types.func_wrap_async(
        "[method]descriptor.link-at",
        |mut store: StoreContextMut<'_, Guest>, (from, flags, old, at, new): LinkArguments| {
            Box::new(async move {
                let guest = store.data_mut();
                let in_tmp = guest.is_in_tmp(&at)?;
                if guest.is_in_tmp(&from)? != in_tmp {
                    return Ok((Err(ErrorCode::CrossDevice),));
                }
                if let Some(full) = guest.reserve_entry(in_tmp) {
                    return Ok((Err(full),));
                }
                let created = guest.filesystem().link_at(from, flags, old, at, new).await;
                guest.after_creation(created, in_tmp)
            })
        },
    )
}

/// Links the calls that remove an entry.
pub(crate) fn link_removals(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    types.func_wrap_async(
        "[method]descriptor.unlink-file-at",
        |mut store: StoreContextMut<'_, Guest>, (at, path): (Resource<Descriptor>, String)| {
            Box::new(async move {
                let guest = store.data_mut();
                let is_in_tmp = guest.is_in_tmp(&at)?;
                #[cfg(target_os = "linux")]
                if is_in_tmp && let Some(entry) = guest.remove_file(&at, &path)? {
                    return guest.after_removal(Ok(()), Some(entry));
                }
                let entry = match is_in_tmp {
                    true => guest.find_entry(&at, &path).await?,
                    false => None,
                };
                let removed = guest.filesystem().unlink_file_at(at, path).await;
                guest.after_removal(removed, entry)
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.remove-directory-at",
        |mut store: StoreContextMut<'_, Guest>, (at, path): (Resource<Descriptor>, String)| {
            Box::new(async move {
                let guest = store.data_mut();
                let in_tmp = guest.is_in_tmp(&at)?;
                let removed = guest.filesystem().remove_directory_at(at, path).await;
                if in_tmp && removed.is_ok() {
                    guest.sandbox.files.lock().release_entry();
                }
                to_call_result(removed)
            })
        },
    )?;
    type RenameArguments = (Resource<Descriptor>, String, Resource<Descriptor>, String);
    types.func_wrap_async(
        "[method]descriptor.rename-at",
        |mut store: StoreContextMut<'_, Guest>, (at, old, to, new): RenameArguments| {
            Box::new(async move {
                let guest = store.data_mut();
                let in_tmp = guest.is_in_tmp(&to)?;
                if guest.is_in_tmp(&at)? != in_tmp {
                    return Ok((Err(ErrorCode::CrossDevice),));
                }
                let replaced = match in_tmp {
                    true => guest.find_replaced((&at, &old), (&to, &new)).await?,
                    false => None,
                };
                let renamed = guest.filesystem().rename_at(at, old, to, new).await;
                guest.after_removal(renamed, replaced)
            })
        },
    )
}

impl Guest {
    /// Counts a new entry of `/tmp`. Returns the error code if `/tmp` is full.
    pub(crate) fn reserve_entry(&mut self, in_tmp: bool) -> Option<ErrorCode> {
        match in_tmp {
            true => self.sandbox.files.lock().add_entry().err().map(ErrorCode::from),
            false => None,
        }
    }

    /// Converts the result of a call that reserved space for an entry. A failed one created none.
    fn after_creation(
        &mut self,
        created: FsResult<()>,
        in_tmp: bool,
    ) -> wasmtime::Result<CallResult<()>> {
        if in_tmp && created.is_err() {
            self.sandbox.files.lock().release_entry();
        }
        to_call_result(created)
    }

    /// Converts the result of a call that removes `entry` of `/tmp` if it succeeds.
    fn after_removal(
        &mut self,
        removed: FsResult<()>,
        entry: Option<Entry>,
    ) -> wasmtime::Result<CallResult<()>> {
        if let (Ok(()), Some(entry)) = (&removed, entry) {
            self.sandbox.files.lock().remove_entry(&entry);
        }
        to_call_result(removed)
    }

    /// Removes a file of `/tmp`, and returns its entry. Returns `None` on any error, so that wasmtime removes the file and
    /// returns the exact error.
    #[cfg(target_os = "linux")]
    fn remove_file(
        &mut self,
        at: &Resource<Descriptor>,
        path: &str,
    ) -> wasmtime::Result<Option<Entry>> {
        match self.table.get(at)? {
            Descriptor::Dir(directory) => Ok(lookup::remove_file(&directory.dir, path)),
            Descriptor::File(_) => Ok(None),
        }
    }

    /// Returns the entry that a rename removes: none if both paths name the same file, which is then kept.
    async fn find_replaced(
        &mut self,
        (at, old): (&Resource<Descriptor>, &str),
        (to, new): (&Resource<Descriptor>, &str),
    ) -> wasmtime::Result<Option<Entry>> {
        let Some(replaced) = self.find_entry(to, new).await? else { return Ok(None) };
        let renamed = self.find_entry(at, old).await?;
        let is_other = renamed.is_some_and(|renamed| renamed.identity != replaced.identity);
        // Elsewhere files have no identity, and a rename frees nothing.
        Ok((cfg!(unix) && is_other).then_some(replaced))
    }

    /// Returns the entry at `path`, if it exists. Doesn't follow a symbolic link there.
    #[cfg(unix)]
    async fn find_entry(
        &mut self,
        at: &Resource<Descriptor>,
        path: &str,
    ) -> wasmtime::Result<Option<Entry>> {
        use wasmtime_wasi::WasiView;

        match self.ctx().table.get(at)? {
            Descriptor::Dir(directory) => Ok(lookup::find(&directory.dir, path)),
            Descriptor::File(_) => Ok(None),
        }
    }

    /// Returns the entry at `path`, if it exists. Doesn't follow a symbolic link there.
    #[cfg(not(unix))]
    async fn find_entry(
        &mut self,
        at: &Resource<Descriptor>,
        path: &str,
    ) -> wasmtime::Result<Option<Entry>> {
        use wasmtime_wasi::p2::bindings::filesystem::types::DescriptorType;

        let same = Resource::new_borrow(at.rep());
        let found = self.filesystem().stat_at(same, PathFlags::empty(), path.to_owned()).await;
        Ok(found.ok().map(|found| Entry {
            identity: 0,
            is_file: matches!(found.type_, DescriptorType::RegularFile),
            size: found.size,
            links: found.link_count,
        }))
    }
}

#[cfg(unix)]
mod lookup {
    use std::fs::File;

    use rustix::fs::{AtFlags, FileType, Stat, statat};
    use rustix::io::Result;

    use crate::files::Entry;

    /// Returns the entry at `path` in `directory`, if it exists.
    pub(super) fn find(directory: &File, path: &str) -> Option<Entry> {
        // A slash at the end would follow a symbolic link.
        let path = path.trim_end_matches('/');
        let stat = match is_name(path) {
            true => stat_at(directory, path),
            false => stat(directory, path),
        };
        stat.ok().map(entry)
    }

    #[expect(clippy::allow_attributes, reason = "the types differ between systems")]
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "as above")]
    fn entry(stat: Stat) -> Entry {
        Entry {
            identity: (stat.st_dev as u64, stat.st_ino as u64),
            is_file: FileType::from_raw_mode(stat.st_mode).is_file(),
            size: stat.st_size as u64,
            links: stat.st_nlink as u64,
        }
    }

    /// Returns whether `path` names an entry of the directory itself, so that its lookup can't leave the directory.
    fn is_name(path: &str) -> bool {
        !path.contains('/') && !matches!(path, "" | "." | "..")
    }

    /// Removes the file at `path` in `directory`, and returns its entry. Returns `None` on any error.
    ///
    /// Its directory is opened once for both steps.
    #[cfg(target_os = "linux")]
    pub(super) fn remove_file(directory: &File, path: &str) -> Option<Entry> {
        use rustix::fs::{Mode, OFlags, ResolveFlags, openat2, unlinkat};

        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        if !is_name(name) {
            return None;
        }
        let opened;
        let parent = match parent {
            "." => directory,
            parent => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
                opened =
                    File::from(openat2(directory, parent, flags, Mode::empty(), resolve).ok()?);
                &opened
            }
        };
        let removed = entry(stat_at(parent, name).ok()?);
        unlinkat(parent, name, AtFlags::empty()).ok()?;
        Some(removed)
    }

    /// Reads the metadata beneath the directory, as wasmtime does, so that a guest cannot make it wait for another file
    /// system.
    #[cfg(target_os = "linux")]
    fn stat(directory: &File, path: &str) -> Result<Stat> {
        use rustix::fs::{Mode, OFlags, ResolveFlags, fstat, openat2};
        use rustix::io::Errno;

        /// The maximum number of tries, since another process may rename a directory in the path.
        const TRIES: usize = 8;

        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match openat2(directory, path, flags, Mode::empty(), resolve) {
                Ok(entry) => return fstat(entry),
                Err(Errno::AGAIN) => {}
                Err(Errno::NOSYS | Errno::PERM) => return stat_at(directory, path),
                Err(error) => return Err(error),
            }
        }
        Err(Errno::AGAIN)
    }

    #[cfg(not(target_os = "linux"))]
    fn stat(directory: &File, path: &str) -> Result<Stat> {
        stat_at(directory, path)
    }

    /// Reads the metadata in one system call, which isn't confined to the directory. Where `openat2` is missing, the
    /// metadata of a longer path counts only if a call that is confined to the directory then removes the same path.
    fn stat_at(directory: &File, path: &str) -> Result<Stat> {
        statat(directory, path, AtFlags::SYMLINK_NOFOLLOW)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, File};

    use super::lookup::find;
    #[cfg(target_os = "linux")]
    use super::lookup::remove_file;

    #[test]
    fn lookup_finds_entries_beneath_the_directory_only() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir_all(inner.join("deep")).unwrap();
        fs::write(inner.join("file"), [1; 3]).unwrap();
        fs::write(inner.join("deep/file"), [1; 5]).unwrap();
        std::os::unix::fs::symlink("..", inner.join("link")).unwrap();
        let directory = File::open(&inner).unwrap();
        let size = |path| find(&directory, path).filter(|it| it.is_file).map(|it| it.size);
        assert_eq!((size("file"), size("deep/file")), (Some(3), Some(5)));
        assert!(["link", "link/", "deep"].iter().all(|path| size(path).is_none()));
        assert!(["link", "link/", "deep"].iter().all(|path| find(&directory, path).is_some()));
        assert!(find(&directory, "missing").is_none());
        #[cfg(target_os = "linux")]
        assert!(["..", "../", "link/inner", "/"].iter().all(|it| find(&directory, it).is_none()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_files_beneath_the_directory_are_removed() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir_all(inner.join("deep")).unwrap();
        for path in ["outside", "inner/file", "inner/deep/file"] {
            fs::write(outer.path().join(path), [1; 3]).unwrap();
        }
        std::os::unix::fs::symlink("..", inner.join("link")).unwrap();
        let directory = File::open(&inner).unwrap();
        let kept =
            ["", ".", "..", "/file", "../outside", "link/outside", "file/", "deep", "deep/missing"];
        for path in kept {
            assert!(remove_file(&directory, path).is_none(), "{path}");
        }
        assert!(outer.path().join("outside").exists());
        for path in ["file", "deep/file", "link"] {
            let size = remove_file(&directory, path).unwrap().size;
            assert!(size > 0 && inner.join(path).symlink_metadata().is_err(), "{path}");
        }
    }
}
