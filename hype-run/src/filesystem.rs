//! The calls of `wasi:filesystem` by which a guest could take more of the machine than it may.
//!
//! They ask [`Files`] first, and are otherwise wasmtime's. What is full is an error of the call, as
//! on a disk that is full; too many open files end the guest.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hype_wire::Failure;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{
    DynOutputStream, FsResult, OutputStream, Pollable, StreamError, StreamResult,
};

use crate::execution::Guest;
use crate::files::{Files, opened};
use crate::limits::{LISTINGS, OPEN_FILES};
use crate::listing;

/// How much a guest may write to a file at once.
const CHUNK: usize = 64 << 10;

/// The files of one guest, as its calls and its streams share them.
#[derive(Debug, Clone)]
pub(crate) struct SharedFiles(Arc<Mutex<Files>>);

impl SharedFiles {
    pub(crate) fn new(files: Files) -> Self {
        Self(Arc::new(Mutex::new(files)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error that a guest is stopped with when it has too much open.
#[derive(Debug)]
pub(crate) enum TooMany {
    /// Files and directories.
    OpenFiles,
    /// Lists of entries.
    Listings,
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenFiles => write!(f, "more than {OPEN_FILES} files are open"),
            Self::Listings => write!(f, "more than {LISTINGS} directories are being listed"),
        }
    }
}

impl std::error::Error for TooMany {}

/// The error that a guest is stopped with when it cannot be shown its files.
#[derive(Debug)]
pub(crate) struct NoFiles(pub(crate) Failure);

impl fmt::Display for NoFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NoFiles {}

/// What a call gives its guest.
pub(crate) type Told<T> = (Result<T, ErrorCode>,);

/// Replaces the calls in `linker`, which has wasmtime's.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut preopens = linker.instance("wasi:filesystem/preopens@0.2.12")?;
    preopens.func_wrap("get-directories", |mut store: StoreContextMut<'_, Guest>, ()| {
        let guest = store.data_mut();
        guest.sandbox.make_tmp().map_err(NoFiles)?;
        let directories = preopens::Host::get_directories(&mut guest.filesystem())?;
        for (directory, path) in &directories {
            let directory = guest.ctx().table.get(directory)?.clone();
            guest.sandbox.files.lock().enter(&directory, path == "/tmp");
        }
        Ok((directories,))
    })?;
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    link_opening(&mut types)?;
    listing::link(&mut types)?;
    link_entries(&mut types)?;
    link_writing(&mut types)
}

fn link_opening(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    type Opening = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);
    types.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: StoreContextMut<'_, Guest>, (directory, at, path, how, flags): Opening| {
            Box::new(async move {
                let guest = store.data_mut();
                let in_tmp = guest.in_tmp(&directory)?;
                if !guest.sandbox.files.lock().has_room() {
                    return Err(TooMany::OpenFiles.into());
                }
                if how.contains(OpenFlags::CREATE)
                    && let Some(full) = guest.no_entry(&directory)?
                {
                    return Ok((Err(full),));
                }
                let opened = guest.filesystem().open_at(directory, at, path, how, flags).await;
                if let Ok(opened) = &opened {
                    let opened = guest.ctx().table.get(opened)?.clone();
                    guest.sandbox.files.lock().enter(&opened, in_tmp);
                }
                told(opened)
            })
        },
    )
}

fn link_entries(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    types.func_wrap_async(
        "[method]descriptor.create-directory-at",
        |mut store: StoreContextMut<'_, Guest>, (at, path): (Resource<Descriptor>, String)| {
            Box::new(async move {
                let guest = store.data_mut();
                if let Some(full) = guest.no_entry(&at)? {
                    return Ok((Err(full),));
                }
                told(guest.filesystem().create_directory_at(at, path).await)
            })
        },
    )?;
    type Linking = (Resource<Descriptor>, String, String);
    types.func_wrap_async(
        "[method]descriptor.symlink-at",
        |mut store: StoreContextMut<'_, Guest>, (at, target, path): Linking| {
            Box::new(async move {
                let guest = store.data_mut();
                if let Some(full) = guest.no_entry(&at)? {
                    return Ok((Err(full),));
                }
                told(guest.filesystem().symlink_at(at, target, path).await)
            })
        },
    )?;
    type HardLinking = (Resource<Descriptor>, PathFlags, String, Resource<Descriptor>, String);
    types.func_wrap_async(
        "[method]descriptor.link-at",
        |mut store: StoreContextMut<'_, Guest>, (from, flags, old, at, new): HardLinking| {
            Box::new(async move {
                let guest = store.data_mut();
                if let Some(full) = guest.no_entry(&at)? {
                    return Ok((Err(full),));
                }
                told(guest.filesystem().link_at(from, flags, old, at, new).await)
            })
        },
    )
}

fn link_writing(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    types.func_wrap_async(
        "[method]descriptor.write",
        |mut store: StoreContextMut<'_, Guest>,
         (file, bytes, at): (Resource<Descriptor>, Vec<u8>, u64)| {
            Box::new(async move {
                let guest = store.data_mut();
                let end = at.saturating_add(bytes.len() as u64);
                if let Some(full) = guest.no_growth(&file, end)? {
                    return Ok((Err(full),));
                }
                told(guest.filesystem().write(file, bytes, at).await)
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.set-size",
        |mut store: StoreContextMut<'_, Guest>, (file, size): (Resource<Descriptor>, u64)| {
            Box::new(async move {
                let guest = store.data_mut();
                if let Some(full) = guest.no_growth(&file, size)? {
                    return Ok((Err(full),));
                }
                told(guest.filesystem().set_size(file, size).await)
            })
        },
    )?;
    types.func_wrap(
        "[method]descriptor.write-via-stream",
        |mut store: StoreContextMut<'_, Guest>, (file, at): (Resource<Descriptor>, u64)| {
            let guest = store.data_mut();
            match guest.stream(&file, Some(at))? {
                Some(stream) => Ok((Ok(stream),)),
                None => told(guest.filesystem().write_via_stream(file, at)),
            }
        },
    )?;
    types.func_wrap(
        "[method]descriptor.append-via-stream",
        |mut store: StoreContextMut<'_, Guest>, (file,): (Resource<Descriptor>,)| {
            let guest = store.data_mut();
            match guest.stream(&file, None)? {
                Some(stream) => Ok((Ok(stream),)),
                None => told(guest.filesystem().append_via_stream(file)),
            }
        },
    )
}

/// What a call gives its guest, of what it gave its host.
pub(crate) fn told<T>(result: FsResult<T>) -> wasmtime::Result<Told<T>> {
    match result {
        Ok(value) => Ok((Ok(value),)),
        Err(error) => error.downcast().map(|code| (Err(code),)),
    }
}

impl Guest {
    fn in_tmp(&mut self, descriptor: &Resource<Descriptor>) -> wasmtime::Result<bool> {
        let descriptor = self.ctx().table.get(descriptor)?.clone();
        Ok(self.sandbox.files.lock().is_in_tmp(&descriptor))
    }

    /// Why there may be nothing new in the directory.
    fn no_entry(&mut self, at: &Resource<Descriptor>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(match self.in_tmp(at)? {
            true => self.sandbox.files.lock().add_entry().err().map(ErrorCode::from),
            false => None,
        })
    }

    /// Why the file may not reach to `end`.
    fn no_growth(
        &mut self,
        file: &Resource<Descriptor>,
        end: u64,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        let descriptor = self.ctx().table.get(file)?.clone();
        let mut files = self.sandbox.files.lock();
        Ok(match files.is_in_tmp(&descriptor) {
            true => files.grow(opened(&descriptor), end).err().map(ErrorCode::from),
            false => None,
        })
    }

    /// A stream of ours to a file of `/tmp`, from `at` or else to its end; none for other files.
    fn stream(
        &mut self,
        file: &Resource<Descriptor>,
        at: Option<u64>,
    ) -> wasmtime::Result<Option<Resource<DynOutputStream>>> {
        let descriptor = self.ctx().table.get(file)?.clone();
        let Descriptor::File(file) = &descriptor else { return Ok(None) };
        if !self.sandbox.files.lock().is_in_tmp(&descriptor) {
            return Ok(None);
        }
        let stream =
            FileStream { file: Arc::clone(&file.file), at, files: self.sandbox.files.clone() };
        let stream: DynOutputStream = Box::new(stream);
        Ok(Some(self.ctx().table.push(stream)?))
    }
}

/// Writes to a file of `/tmp`. Nothing is buffered: a write is done before it returns, so that
/// nothing is written which was not counted.
struct FileStream {
    file: Arc<File>,
    /// Where the next write goes, unless it is always the file's end.
    at: Option<u64>,
    files: SharedFiles,
}

impl FileStream {
    fn write_now(&mut self, bytes: &[u8]) -> io::Result<()> {
        let at = match self.at {
            Some(at) => at,
            None => self.file.metadata()?.len(),
        };
        let end = at.saturating_add(bytes.len() as u64);
        self.files.lock().grow(&self.file, end)?;
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)?;
        self.at = self.at.map(|_| end);
        Ok(())
    }
}

impl OutputStream for FileStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > CHUNK {
            return Err(StreamError::trap("more was written than the stream allowed"));
        }
        self.write_now(&bytes).map_err(|error| StreamError::LastOperationFailed(error.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for FileStream {
    async fn ready(&mut self) {}
}
