//! Sinks, which assemble the parts of a blob in order and hash them.

use std::fs::File;
use std::io::Write;

use bytes::{Bytes, BytesMut};
use hype_wire::{Blob, BlobHasher};

use super::download::unwritable;
use super::range::PartBuffer;
use crate::error::StageError;

/// A destination of the parts of a blob.
pub(super) trait Sink: Send + 'static {
    type Buffer: PartBuffer;

    /// Returns a buffer of `size` bytes for the next part. Its content is arbitrary.
    fn buffer(&mut self, size: usize) -> Self::Buffer;

    /// Appends the next part, in the buffer that was returned for it.
    fn append(&mut self, part: Self::Buffer) -> Result<(), StageError>;
}

/// A sink in memory.
pub(super) struct MemorySink {
    unused: BytesMut,
    bytes: BytesMut,
    hasher: BlobHasher,
}

impl MemorySink {
    /// Creates a sink that fills `buffer`.
    pub(super) fn new(buffer: BytesMut) -> Self {
        Self { unused: buffer, bytes: BytesMut::new(), hasher: BlobHasher::default() }
    }

    /// Returns all bytes and their blob.
    pub(super) fn finish(self) -> (Bytes, Blob) {
        (self.bytes.freeze(), self.hasher.finish())
    }
}

impl Sink for MemorySink {
    type Buffer = BytesMut;

    fn buffer(&mut self, size: usize) -> BytesMut {
        self.unused.split_to(size)
    }

    fn append(&mut self, part: BytesMut) -> Result<(), StageError> {
        self.hasher.update(&part);
        // The parts are adjacent in one buffer, so nothing is copied.
        self.bytes.unsplit(part);
        Ok(())
    }
}

/// A sink in a file.
pub(super) struct FileSink {
    name: String,
    file: File,
    hasher: BlobHasher,
    /// Buffers of written parts, to be reused: to allocate one takes as long as to hash its content.
    free_buffers: Vec<BytesMut>,
}

impl FileSink {
    /// Creates a sink in `file`, called `name` in errors.
    pub(super) fn new(name: String, file: File) -> Self {
        Self { name, file, hasher: BlobHasher::default(), free_buffers: Vec::new() }
    }

    /// Returns the file and its blob.
    pub(super) fn finish(self) -> (File, Blob) {
        (self.file, self.hasher.finish())
    }
}

impl Sink for FileSink {
    type Buffer = BytesMut;

    fn buffer(&mut self, size: usize) -> BytesMut {
        let mut buffer = self.free_buffers.pop().unwrap_or_default();
        buffer.resize(size, 0);
        buffer
    }

    fn append(&mut self, part: BytesMut) -> Result<(), StageError> {
        self.hasher.update(&part);
        self.file.write_all(&part).map_err(|error| unwritable(&self.name, error))?;
        self.free_buffers.push(part);
        Ok(())
    }
}
