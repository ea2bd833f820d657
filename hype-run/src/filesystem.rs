//! The calls of `wasi:filesystem` that use resources of the machine, with limits.
//!
//! They check the limits of [`Files`] and then do the same as wasmtime's calls. If `/tmp` is full, the call
//! returns the error of a full disk. Too many open files stop the guest.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hype_wire::Failure;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsResult};

use crate::entries;
use crate::execution::Guest;
use crate::files::{Files, file_identity, opened};
use crate::limits::{LISTINGS, OPEN_FILES};
use crate::listing;
use crate::opening::{Opened, Opening};
use crate::syncing;
use crate::writing::{FileWriter, TmpWriter};

/// The files of one guest, shared by its calls and its streams.
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

/// The error that stops a guest when it opens too many files or listings.
#[derive(Debug)]
pub(crate) enum TooMany {
    /// Open files and directories.
    OpenFiles,
    /// Directories being listed.
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

/// The error that stops a guest whose `/tmp` cannot be created.
#[derive(Debug)]
pub(crate) struct NoFiles(pub(crate) Failure);

impl fmt::Display for NoFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NoFiles {}

/// A file of `/tmp` that grows, and the length that is counted for it.
struct Growth {
    file: Arc<File>,
    counted: u64,
}

/// The maximum size of a write to `/tmp` on the guest's thread, in bytes. A larger one may take seconds.
const MAX_WRITE_HERE: u64 = 1 << 20;

/// The result of a call, as the guest receives it.
pub(crate) type CallResult<T> = (Result<T, ErrorCode>,);

/// Replaces wasmtime's calls in `linker`.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut preopens = linker.instance("wasi:filesystem/preopens@0.2.12")?;
    preopens.func_wrap("get-directories", |mut store: StoreContextMut<'_, Guest>, ()| {
        let guest = store.data_mut();
        guest.sandbox.create_tmp().map_err(NoFiles)?;
        let directories = preopens::Host::get_directories(&mut guest.filesystem())?;
        for (directory, path) in &directories {
            let directory = guest.ctx().table.get(directory)?.clone();
            let in_tmp = (path == "/tmp").then(|| file_identity(opened(&directory))).transpose()?;
            guest.sandbox.files.lock().register(&directory, in_tmp);
        }
        Ok((directories,))
    })?;
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    link_opening(&mut types)?;
    listing::link(&mut types)?;
    entries::link_creations(&mut types)?;
    entries::link_removals(&mut types)?;
    link_reading(&mut types)?;
    link_writing(&mut types)?;
    syncing::link(&mut types)
}

fn link_opening(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    type OpenArguments = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);
    types.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: StoreContextMut<'_, Guest>,
         (directory, path_flags, path, open_flags, flags): OpenArguments| {
            Box::new(async move {
                let guest = store.data_mut();
                let is_in_tmp = guest.is_in_tmp(&directory)?;
                if !guest.sandbox.files.lock().can_open() {
                    return Err(TooMany::OpenFiles.into());
                }
                let is_counted = is_in_tmp && open_flags.contains(OpenFlags::CREATE);
                if let Some(full) = guest.reserve_entry(is_counted) {
                    return Ok((Err(full),));
                }
                let opening = Opening { path_flags, path, open_flags, flags };
                let opened = guest.open(directory, opening, is_in_tmp).await;
                let mut files = guest.sandbox.files.lock();
                if is_counted && !opened.as_ref().is_ok_and(|opened| opened.effect.is_created) {
                    files.release_entry();
                }
                let opened = match opened {
                    Ok(Opened { descriptor, identity, effect }) => {
                        if is_in_tmp {
                            files.release_content(effect.truncated);
                        }
                        let in_tmp = is_in_tmp.then_some(identity);
                        files.register(guest.table.get(&descriptor)?, in_tmp);
                        Ok(descriptor)
                    }
                    Err(error) => Err(error),
                };
                to_call_result(opened)
            })
        },
    )
}

fn link_reading(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]descriptor.read-via-stream",
        |mut store: StoreContextMut<'_, Guest>, (file, at): (Resource<Descriptor>, u64)| {
            let guest = store.data_mut();
            let is_in_tmp = guest.is_in_tmp(&file)?;
            let Descriptor::File(file) = guest.table.get(&file)? else {
                return Ok((Err(ErrorCode::IsDirectory),));
            };
            let reader = guest.sandbox.file_threads.reader(Arc::clone(&file.file), at, is_in_tmp);
            let stream: DynInputStream = Box::new(reader);
            Ok((Ok(guest.table.push(stream)?),))
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
                let size = bytes.len() as u64;
                let end = at.saturating_add(size);
                let growth = match guest.reserve_growth(&file, end)? {
                    Ok(growth) => growth,
                    Err(full) => return Ok((Err(full),)),
                };
                let written = match growth.is_some() && size > MAX_WRITE_HERE {
                    true => guest.write_on_another_thread(&file, bytes, at).await,
                    false => guest.filesystem().write(file, bytes, at).await,
                };
                if !matches!(written, Ok(written) if written == size) {
                    guest.recount(growth)?;
                }
                to_call_result(written)
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.set-size",
        |mut store: StoreContextMut<'_, Guest>, (file, size): (Resource<Descriptor>, u64)| {
            Box::new(async move {
                let guest = store.data_mut();
                let growth = match guest.reserve_growth(&file, size)? {
                    Ok(growth) => growth,
                    Err(full) => return Ok((Err(full),)),
                };
                let resized = guest.filesystem().set_size(file, size).await;
                guest.recount(growth)?;
                to_call_result(resized)
            })
        },
    )?;
    types.func_wrap(
        "[method]descriptor.write-via-stream",
        |mut store: StoreContextMut<'_, Guest>, (file, at): (Resource<Descriptor>, u64)| {
            let guest = store.data_mut();
            match guest.tmp_stream(&file, Some(at))? {
                Some(stream) => Ok((Ok(stream),)),
                None => {
                    let stream = guest.filesystem().write_via_stream(file, at);
                    guest.bound_writes(stream)
                }
            }
        },
    )?;
    types.func_wrap(
        "[method]descriptor.append-via-stream",
        |mut store: StoreContextMut<'_, Guest>, (file,): (Resource<Descriptor>,)| {
            let guest = store.data_mut();
            match guest.tmp_stream(&file, None)? {
                Some(stream) => Ok((Ok(stream),)),
                None => {
                    let stream = guest.filesystem().append_via_stream(file);
                    guest.bound_writes(stream)
                }
            }
        },
    )
}

/// Converts the result of a call. An error that isn't an error code stops the guest.
pub(crate) fn to_call_result<T>(result: FsResult<T>) -> wasmtime::Result<CallResult<T>> {
    match result {
        Ok(value) => Ok((Ok(value),)),
        Err(error) => error.downcast().map(|code| (Err(code),)),
    }
}

impl Guest {
    pub(crate) fn is_in_tmp(
        &mut self,
        descriptor: &Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        let descriptor = self.ctx().table.get(descriptor)?.clone();
        Ok(self.sandbox.files.lock().is_in_tmp(&descriptor))
    }

    /// Counts the growth of a file of `/tmp` to the length `end`. Returns the error code if `/tmp` is full.
    fn reserve_growth(
        &mut self,
        file: &Resource<Descriptor>,
        end: u64,
    ) -> wasmtime::Result<Result<Option<Growth>, ErrorCode>> {
        let descriptor = self.ctx().table.get(file)?.clone();
        let mut files = self.sandbox.files.lock();
        if !files.is_in_tmp(&descriptor) {
            return Ok(Ok(None));
        }
        let file = Arc::clone(opened(&descriptor));
        let counted = files.grow(&file, end);
        Ok(counted.map(|counted| Some(Growth { file, counted })).map_err(ErrorCode::from))
    }

    /// Counts the actual length of a file after its growth, if it is in `/tmp`.
    fn recount(&mut self, growth: Option<Growth>) -> io::Result<()> {
        match growth {
            Some(Growth { file, counted }) => self.sandbox.files.lock().recount(&file, counted),
            None => Ok(()),
        }
    }

    /// Bounds the threads and the bytes of a stream that writes a file.
    fn bound_writes(
        &mut self,
        stream: FsResult<Resource<DynOutputStream>>,
    ) -> wasmtime::Result<CallResult<Resource<DynOutputStream>>> {
        let (created,) = to_call_result(stream)?;
        let Ok(stream) = created else { return Ok((created,)) };
        let inner = self.table.delete(stream)?;
        let writer = FileWriter::new(inner, self.sandbox.file_threads.clone());
        let writer: DynOutputStream = Box::new(writer);
        Ok((Ok(self.table.push(writer)?),))
    }

    /// Creates a stream with a quota that writes to a file of `/tmp`, from the offset `at` or else by
    /// appending. Returns `None` for a file outside of `/tmp`.
    fn tmp_stream(
        &mut self,
        file: &Resource<Descriptor>,
        at: Option<u64>,
    ) -> wasmtime::Result<Option<Resource<DynOutputStream>>> {
        let descriptor = self.ctx().table.get(file)?.clone();
        let Descriptor::File(file) = &descriptor else { return Ok(None) };
        if !self.sandbox.files.lock().is_in_tmp(&descriptor) {
            return Ok(None);
        }
        let files = self.sandbox.files.clone();
        let stream = TmpWriter { file: Arc::clone(&file.file), at, files };
        let stream: DynOutputStream = Box::new(stream);
        Ok(Some(self.ctx().table.push(stream)?))
    }
}
