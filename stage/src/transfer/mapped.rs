//! A sink that maps an in-memory file while a blob is downloaded into it. Each byte is written once, to huge
//! pages.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::sync::Arc;

use hype_wire::{Blob, BlobHasher};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use super::sink::Sink;
use crate::error::StageError;

/// A sink of the parts of a blob in a mapped in-memory file.
pub(super) struct MappedSink {
    file: File,
    mapping: Arc<Mapping>,
    /// The number of bytes handed out as buffers.
    handed_out: usize,
    hasher: BlobHasher,
}

impl MappedSink {
    /// Maps `file` with a size of `size` bytes, which must not be 0. No other process may write to or truncate
    /// the file.
    pub(super) fn new(file: File, size: usize) -> io::Result<Self> {
        file.set_len(size as u64)?;
        let mapping = Arc::new(Mapping::of(&file, size)?);
        Ok(Self { file, mapping, handed_out: 0, hasher: BlobHasher::default() })
    }

    /// Unmaps the file and returns it with its blob.
    pub(super) fn finish(self) -> (File, Blob) {
        (self.file, self.hasher.finish())
    }
}

impl Sink for MappedSink {
    type Buffer = MappedPart;

    fn buffer(&mut self, size: usize) -> MappedPart {
        let start = self.handed_out.min(self.mapping.size);
        self.handed_out = start.saturating_add(size).min(self.mapping.size);
        MappedPart { mapping: Arc::clone(&self.mapping), start, size: self.handed_out - start }
    }

    fn append(&mut self, part: MappedPart) -> Result<(), StageError> {
        self.hasher.update(part.as_ref());
        Ok(())
    }
}

/// The mapping of a file; unmapped on drop.
struct Mapping {
    base: *mut c_void,
    size: usize,
}

// SAFETY: the mapping is not bound to a thread, and each part of it has one owner.
unsafe impl Send for Mapping {}
// SAFETY: a shared reference to the mapping gives no access to its bytes; each part has one owner.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn of(file: &File, size: usize) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses an unused address range.
        let base =
            unsafe { mmap(std::ptr::null_mut(), size, protection, MapFlags::SHARED, file, 0)? };
        // SAFETY: the pages belong to this mapping, and the advice doesn't change their content.
        let advised = unsafe { madvise(base, size, Advice::LinuxHugepage) };
        // A system without huge pages uses normal ones.
        let _ = advised;
        Ok(Self { base, size })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: each part holds a reference to the mapping, so no part is left.
        let unmapped = unsafe { munmap(self.base, self.size) };
        // Unmapping a valid mapping never fails.
        let _ = unmapped;
    }
}

/// A part of the mapped file, with exclusive access to it.
pub(super) struct MappedPart {
    mapping: Arc<Mapping>,
    start: usize,
    size: usize,
}

impl AsRef<[u8]> for MappedPart {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the part lies within the mapping, which it keeps alive; only this part accesses these bytes,
        // and no other process writes to or truncates the file.
        unsafe {
            std::slice::from_raw_parts(self.mapping.base.cast::<u8>().add(self.start), self.size)
        }
    }
}

impl AsMut<[u8]> for MappedPart {
    fn as_mut(&mut self) -> &mut [u8] {
        let base = self.mapping.base.cast::<u8>();
        // SAFETY: see `as_ref`; the access is exclusive.
        unsafe { std::slice::from_raw_parts_mut(base.add(self.start), self.size) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn parts_fill_the_file_in_order_of_their_buffers() {
        let file = tempfile::tempfile().unwrap();
        let mut sink = MappedSink::new(file, 10).unwrap();
        let (mut first, mut second) = (sink.buffer(6), sink.buffer(6));
        second.as_mut().copy_from_slice(b"rest");
        first.as_mut().copy_from_slice(b"first ");
        sink.append(first).unwrap();
        sink.append(second).unwrap();
        let (mut file, blob) = sink.finish();
        assert_eq!(blob, Blob::of(b"first rest"));
        let mut found = String::new();
        file.read_to_string(&mut found).unwrap();
        assert_eq!(found, "first rest");
    }
}
