//! A file in memory, mapped while the parts of a blob come into it: each byte is written once, and into
//! large pages.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::sync::Arc;

use hype_wire::{Blob, BlobHasher};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use super::sink::Sink;
use crate::error::StageError;

/// The parts of a blob, put together in a file in memory.
pub(super) struct Mapped {
    file: File,
    mapping: Arc<Mapping>,
    /// How much of it was given as room.
    given: usize,
    hasher: BlobHasher,
}

impl Mapped {
    /// In `file`, which is in memory, and which nobody else writes to or cuts. They will have `size` bytes,
    /// more than none.
    pub(super) fn new(file: File, size: usize) -> io::Result<Self> {
        file.set_len(size as u64)?;
        let mapping = Arc::new(Mapping::of(&file, size)?);
        Ok(Self { file, mapping, given: 0, hasher: BlobHasher::default() })
    }

    /// The file, and which blob is in it. It isn't mapped any more.
    pub(super) fn finish(self) -> (File, Blob) {
        (self.file, self.hasher.finish())
    }
}

impl Sink for Mapped {
    type Room = MappedPart;

    fn room(&mut self, size: usize) -> MappedPart {
        let start = self.given.min(self.mapping.size);
        self.given = start.saturating_add(size).min(self.mapping.size);
        MappedPart { mapping: Arc::clone(&self.mapping), start, size: self.given - start }
    }

    fn append(&mut self, part: MappedPart) -> Result<(), StageError> {
        self.hasher.update(part.as_ref());
        Ok(())
    }
}

/// The bytes of a file, until this is dropped.
struct Mapping {
    base: *mut c_void,
    size: usize,
}

// SAFETY: it is memory like any other, and each part of it has one owner.
unsafe impl Send for Mapping {}
// SAFETY: as above; what is shared gives nothing away.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn of(file: &File, size: usize) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: it is put where nothing else is.
        let base =
            unsafe { mmap(std::ptr::null_mut(), size, protection, MapFlags::SHARED, file, 0)? };
        // SAFETY: these pages are ours alone, and the advice changes nothing in them.
        let advised = unsafe { madvise(base, size, Advice::LinuxHugepage) };
        // A system without large pages has others.
        let _ = advised;
        Ok(Self { base, size })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nobody has a part of it any more.
        let unmapped = unsafe { munmap(self.base, self.size) };
        // What is mapped can be unmapped.
        let _ = unmapped;
    }
}

/// A part of the file that nobody else has.
pub(super) struct MappedPart {
    mapping: Arc<Mapping>,
    start: usize,
    size: usize,
}

impl AsRef<[u8]> for MappedPart {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: it lies within the mapping, which lives as long, and this part alone reaches it; the file
        // has these bytes, and nobody else writes to it.
        unsafe {
            std::slice::from_raw_parts(self.mapping.base.cast::<u8>().add(self.start), self.size)
        }
    }
}

impl AsMut<[u8]> for MappedPart {
    fn as_mut(&mut self) -> &mut [u8] {
        let base = self.mapping.base.cast::<u8>();
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(base.add(self.start), self.size) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn parts_come_to_their_places_in_the_file() {
        let file = tempfile::tempfile().unwrap();
        let mut mapped = Mapped::new(file, 10).unwrap();
        let (mut first, mut second) = (mapped.room(6), mapped.room(6));
        second.as_mut().copy_from_slice(b"rest");
        first.as_mut().copy_from_slice(b"first ");
        mapped.append(first).unwrap();
        mapped.append(second).unwrap();
        let (mut file, blob) = mapped.finish();
        assert_eq!(blob, Blob::of(b"first rest"));
        let mut found = String::new();
        file.read_to_string(&mut found).unwrap();
        assert_eq!(found, "first rest");
    }
}
