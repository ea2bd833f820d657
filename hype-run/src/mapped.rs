//! Machine code that was verified, without a copy for each of its uses.
//!
//! wasmtime maps a file where it would copy bytes: only those pages of machine code and of initial
//! memory are touched that a guest comes by. A file that others can reach could change between its
//! hash and its use, so the bytes are hashed on their way into one that only this process has, and that
//! is sealed: nobody can change it any more, not even we.

use bytes::Bytes;
use hype_stage::StageError;
use hype_wire::Blob;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::blobs::Blobs;

/// Machine code whose digest was found to be right.
pub(crate) enum MachineCode {
    #[cfg(target_os = "linux")]
    Sealed(sealed::SealedFile),
    /// Where the system has no such files, or shows us none.
    Bytes(Bytes),
}

impl MachineCode {
    pub(crate) async fn fetch(blobs: &Blobs<'_>, blob: &Blob) -> Result<Self, StageError> {
        #[cfg(target_os = "linux")]
        if let Some(file) = blobs.in_file(blob, sealed::empty).await?
            && let Some(sealed) = sealed::SealedFile::of(file)
        {
            return Ok(Self::Sealed(sealed));
        }
        blobs.get(blob).await.map(Self::Bytes)
    }

    /// The component that it was made of.
    ///
    /// # Safety
    ///
    /// As [`Component::deserialize`].
    pub(crate) unsafe fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        match self {
            #[cfg(target_os = "linux")]
            // SAFETY: it holds the bytes that the caller vouches for, and is sealed.
            Self::Sealed(file) => unsafe { Component::deserialize_file(engine, file.path()) },
            // SAFETY: the caller vouches for the bytes.
            Self::Bytes(bytes) => unsafe { Component::deserialize(engine, bytes) },
        }
    }
}

#[cfg(target_os = "linux")]
mod sealed {
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::path::{Path, PathBuf};

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    /// A file in memory that only this process has, where the system has such files.
    pub(super) fn empty() -> Option<File> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        memfd_create("machine code", flags).ok().map(File::from)
    }

    /// A file of this process alone, whose bytes cannot change.
    pub(crate) struct SealedFile {
        _file: File,
        path: PathBuf,
    }

    impl SealedFile {
        /// `file` as it is now, if it can be sealed and the system shows it to us.
        pub(super) fn of(file: File) -> Option<Self> {
            let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
            fcntl_add_seals(&file, seals).ok()?;
            let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            // A process that may not look at itself has no way to it.
            path.metadata().ok()?;
            Some(Self { _file: file, path })
        }

        pub(super) fn path(&self) -> &Path {
            &self.path
        }
    }

    #[cfg(test)]
    mod tests {
        use std::io::Write;

        use super::*;

        #[test]
        fn what_is_sealed_stays_as_it_is() {
            let mut file = empty().unwrap();
            file.write_all(b"machine code").unwrap();
            let mut other = file.try_clone().unwrap();
            let sealed = SealedFile::of(file).unwrap();
            assert_eq!(std::fs::read(sealed.path()).unwrap(), b"machine code");
            assert!(other.write_all(b"another").is_err() && other.set_len(1).is_err());
            let written = std::fs::OpenOptions::new()
                .write(true)
                .open(sealed.path())
                .and_then(|mut file| file.write_all(b"another"));
            assert!(written.is_err());
            assert_eq!(std::fs::read(sealed.path()).unwrap(), b"machine code");
        }
    }
}
