//! Machine code from bytes that were verified, without a copy for each of its uses.
//!
//! wasmtime maps a file where it would copy bytes: only those pages of machine code and of initial
//! memory are touched that a guest comes by. A file that others can reach could change between its
//! hash and its use, so the verified bytes go into one that only this process has, and that is
//! sealed: nobody can change it any more, not even we.

use wasmtime::Engine;
use wasmtime::component::Component;

/// The component that `artefact` was made of.
///
/// # Safety
///
/// As [`Component::deserialize`].
pub(crate) unsafe fn load(engine: &Engine, artefact: &[u8]) -> wasmtime::Result<Component> {
    #[cfg(target_os = "linux")]
    if let Some(file) = sealed::SealedFile::of(artefact) {
        // SAFETY: it holds the bytes that the caller vouches for, and is sealed.
        return unsafe { Component::deserialize_file(engine, file.path()) };
    }
    // SAFETY: the caller vouches for the bytes.
    unsafe { Component::deserialize(engine, artefact) }
}

#[cfg(target_os = "linux")]
mod sealed {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::path::{Path, PathBuf};

    use memfd::{FileSeal, Memfd, MemfdOptions};

    /// A file of this process alone, whose bytes cannot change.
    pub(super) struct SealedFile {
        _file: Memfd,
        path: PathBuf,
    }

    impl SealedFile {
        /// One with these bytes, where the system has such files and shows them to us.
        pub(super) fn of(bytes: &[u8]) -> Option<Self> {
            let file = MemfdOptions::default().allow_sealing(true).create("machine code").ok()?;
            file.as_file().write_all(bytes).ok()?;
            let seals = [FileSeal::SealWrite, FileSeal::SealShrink, FileSeal::SealGrow];
            file.add_seals(&seals).ok()?;
            file.add_seal(FileSeal::SealSeal).ok()?;
            let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_file().as_raw_fd()));
            // A process that may not look at itself has no way to it.
            std::fs::File::open(&path).ok()?;
            Some(Self { _file: file, path })
        }

        pub(super) fn path(&self) -> &Path {
            &self.path
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_is_sealed_stays_as_it_is() {
            let sealed = SealedFile::of(b"machine code").unwrap();
            assert_eq!(std::fs::read(sealed.path()).unwrap(), b"machine code");
            let written = std::fs::OpenOptions::new()
                .write(true)
                .open(sealed.path())
                .and_then(|mut file| file.write_all(b"another"));
            assert!(written.is_err());
            assert_eq!(std::fs::read(sealed.path()).unwrap(), b"machine code");
        }
    }
}
