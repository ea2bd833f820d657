//! Files in memory whose bytes can't change any more.

use std::fs::File;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::{Errno, Result};

/// The seals against another size, and against the removal of seals.
const SIZE: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Creates an empty file, which can be sealed.
///
/// # Errors
///
/// Returns the error of the system.
pub(crate) fn create(name: &str) -> Result<File> {
    memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).map(File::from)
}

/// Seals `file`, which no process may have mapped writable.
///
/// The seal against future writes covers such a file as well as the one against all writes. The latter waits until the
/// kernel holds no reference to a page of the file, for as much as 75 ms, and fails if it then still does.
///
/// # Errors
///
/// Returns the error of the system.
pub(crate) fn seal(file: &File) -> Result<()> {
    match fcntl_add_seals(file, SIZE | SealFlags::FUTURE_WRITE) {
        // Linux before 5.1 and gVisor.
        Err(Errno::INVAL) => fcntl_add_seals(file, SIZE | SealFlags::WRITE),
        sealed => sealed,
    }
}

/// Returns whether `file` is sealed.
pub(crate) fn is_sealed(file: &File) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| {
        seals.contains(SIZE) && seals.intersects(SealFlags::FUTURE_WRITE | SealFlags::WRITE)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn sealed_file_keeps_its_bytes() {
        let mut file = create("test").unwrap();
        file.write_all(b"bytes").unwrap();
        assert!(!is_sealed(&file));
        seal(&file).unwrap();
        assert!(is_sealed(&file));
        assert!(file.write_all(b"more").is_err() && file.set_len(1).is_err());
        assert_eq!(seal(&file), Err(Errno::PERM));
    }

    /// The kernel refers to a page of the file while it reads the file into a pipe without a copy.
    #[test]
    fn file_is_sealed_while_the_kernel_uses_a_page_of_it() {
        let mut file = create("test").unwrap();
        file.write_all(&[7; 4096]).unwrap();
        let (_reader, writer) = std::io::pipe().unwrap();
        let (from, to, offset) = (file.as_raw_fd(), writer.as_raw_fd(), &mut 0);
        // SAFETY: both descriptors are open, and the kernel reads and writes only the offset.
        let read = unsafe { libc::splice(from, offset, to, std::ptr::null_mut(), 4096, 0) };
        assert_eq!(read, 4096);
        assert_eq!(fcntl_add_seals(&file, SealFlags::WRITE), Err(Errno::BUSY));
        seal(&file).unwrap();
    }
}
