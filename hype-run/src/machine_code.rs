//! Verified machine code, mapped into memory without a copy.
//!
//! wasmtime maps machine code from a file, so that a guest loads only the pages that it uses. If another
//! process could write to the file, it could change it between the check of its digest and its use.
//! So the bytes are hashed while they are copied to a memory file of this process alone, which is
//! then sealed against every change.

use std::fs::File;
#[cfg(target_os = "linux")]
use std::io::Write;
use std::io::{self, Read, Seek};

use bytes::Bytes;
use hype_stage::StageError;
use hype_wire::Blob;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::blobs::Blobs;
use crate::compiler::{CompileError, CompileTurn};
use crate::engine::{CodeKind, Platform, Target};

/// Machine code whose digest was verified.
pub(crate) enum MachineCode {
    #[cfg(target_os = "linux")]
    Sealed(sealed::SealedFile),
    /// The fallback on a system without sealed memory files.
    Bytes(Bytes),
}

impl MachineCode {
    /// Compiles the component in `bytes` for this machine to a file that no other process can open.
    pub(crate) async fn compile(
        kind: CodeKind,
        turn: CompileTurn,
        bytes: Bytes,
    ) -> Result<Self, CompileError> {
        let target = Platform::here().map(|platform| Target { platform, kind });
        let output = new_file().map_err(CompileError::Output)?;
        turn.compile(bytes, target, output, Self::of_file).await?.map_err(CompileError::Output)
    }

    pub(crate) async fn fetch(blobs: &Blobs<'_>, blob: &Blob) -> Result<Self, StageError> {
        #[cfg(target_os = "linux")]
        if let Some(file) = blobs.in_file(blob, sealed::empty).await?
            && let Some(sealed) = sealed::SealedFile::of(file)
        {
            return Ok(Self::Sealed(sealed));
        }
        blobs.get(blob).await.map(Self::Bytes)
    }

    /// Returns the machine code in `file`, if the system supports sealed files.
    #[cfg(target_os = "linux")]
    pub(crate) fn sealed(file: File) -> Option<Self> {
        sealed::SealedFile::of(file).map(Self::Sealed)
    }

    /// Returns a sealed file with these bytes, if the system supports it.
    #[cfg(target_os = "linux")]
    pub(crate) fn into_file(self) -> Option<File> {
        match self {
            Self::Sealed(file) => Some(file.into_file()),
            Self::Bytes(bytes) => {
                let mut file = sealed::empty()?;
                file.write_all(&bytes).ok()?;
                sealed::SealedFile::of(file).map(sealed::SealedFile::into_file)
            }
        }
    }

    /// Returns the machine code in a file that [`new_file`] created.
    pub(crate) fn of_file(mut file: File) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(sealed) = sealed::SealedFile::of(file.try_clone()?) {
            return Ok(Self::Sealed(sealed));
        }
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok(Self::Bytes(bytes.into()))
    }

    /// Loads the compiled component.
    ///
    /// # Safety
    ///
    /// The bytes must be machine code that wasmtime compiled, as [`Component::deserialize`] demands.
    pub(crate) unsafe fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        match self {
            #[cfg(target_os = "linux")]
            // SAFETY: the file is sealed, and the caller guarantees its bytes.
            Self::Sealed(file) => unsafe { Component::deserialize_file(engine, file.path()) },
            // SAFETY: the caller guarantees the bytes.
            Self::Bytes(bytes) => unsafe { Component::deserialize(engine, bytes) },
        }
    }
}

/// Creates an empty file for machine code, which no other process can open.
fn new_file() -> io::Result<File> {
    #[cfg(target_os = "linux")]
    if let Some(file) = sealed::empty() {
        return Ok(file);
    }
    tempfile::tempfile()
}

#[cfg(target_os = "linux")]
mod sealed {
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::path::{Path, PathBuf};

    use crate::sealed_memory;

    /// Creates an empty memory file of this process, if the system supports that.
    pub(super) fn empty() -> Option<File> {
        sealed_memory::create("machine code").ok()
    }

    /// A memory file of this process whose bytes cannot change.
    pub(crate) struct SealedFile {
        file: File,
        path: PathBuf,
    }

    impl SealedFile {
        /// Seals `file`, if the system supports that and shows the file under `/proc/self/fd`.
        pub(super) fn of(file: File) -> Option<Self> {
            if !sealed_memory::is_sealed(&file) {
                sealed_memory::seal(&file).ok()?;
            }
            let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            // Without access to its own `/proc/self/fd` this process cannot open the file by a path.
            path.metadata().ok()?;
            Some(Self { file, path })
        }

        pub(super) fn into_file(self) -> File {
            self.file
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
        fn sealed_file_rejects_writes() {
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
