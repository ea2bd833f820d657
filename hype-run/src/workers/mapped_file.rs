//! Arguments in a sealed file, mapped into memory.

use std::ffi::c_void;
use std::fs::File;
use std::io;

use bytes::Bytes;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Returns the content of `file`, which is sealed. Its pages are mapped, since reading it would copy them once
/// more.
pub(super) fn content(file: &File) -> io::Result<Bytes> {
    let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    match size {
        0 => Ok(Bytes::new()),
        _ => Mapping::of(file, size).map(Bytes::from_owner),
    }
}

/// The mapping of a file; unmapped on drop.
struct Mapping {
    base: *mut c_void,
    size: usize,
}

// SAFETY: the mapping is not bound to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    fn of(file: &File, size: usize) -> io::Result<Self> {
        let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
        // SAFETY: the kernel chooses an unused address range.
        let base = unsafe { mmap(std::ptr::null_mut(), size, ProtFlags::READ, flags, file, 0)? };
        Ok(Self { base, size })
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the mapping has this size and is never written to; the seals keep the file from being changed or
        // truncated.
        unsafe { std::slice::from_raw_parts(self.base.cast(), self.size) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: no reference to the bytes outlives the mapping.
        let unmapped = unsafe { munmap(self.base, self.size) };
        // Unmapping a valid mapping never fails.
        let _ = unmapped;
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::sealed_file;
    use super::*;

    #[test]
    fn content_of_sealed_file_is_mapped() {
        let mut bytes = vec![7; 100_000];
        bytes.extend(b"end");
        let file = sealed_file(&bytes).unwrap();
        let content = content(&file).unwrap();
        drop(file);
        assert_eq!(content, bytes);
        // No copy: the pages are those of the file.
        let address = format!("{:x}-", content.as_ptr() as usize);
        let mappings = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mapping = mappings.lines().find(|line| line.starts_with(&address)).unwrap();
        assert!(mapping.contains("r--p") && mapping.contains("hype message"), "{mapping}");
    }

    #[test]
    fn empty_file_has_no_content() {
        assert!(content(&sealed_file(b"").unwrap()).unwrap().is_empty());
    }
}
