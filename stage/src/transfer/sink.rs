//! Where the parts of a blob are put together, each once it is there and the one before it was.

use std::fs::File;
use std::io::Write;

use bytes::{Bytes, BytesMut};
use hype_wire::{Blob, BlobHasher};

use super::download::unwritable;
use super::range::Room;
use crate::error::StageError;

/// Where the parts of a blob are put together.
pub(super) trait Sink: Send + 'static {
    type Room: Room;

    /// Room for the next part, which has so many bytes. What is in it doesn't matter.
    fn room(&mut self, size: usize) -> Self::Room;

    /// Takes the part that comes next, in the room that was given for it.
    fn append(&mut self, part: Self::Room) -> Result<(), StageError>;
}

/// The parts of a blob, put together in memory.
pub(super) struct Whole {
    room: BytesMut,
    bytes: BytesMut,
    hasher: BlobHasher,
}

impl Whole {
    /// They will fill `room`.
    pub(super) fn of(room: BytesMut) -> Self {
        Self { room, bytes: BytesMut::new(), hasher: BlobHasher::default() }
    }

    /// All of them, and which blob they are.
    pub(super) fn finish(self) -> (Bytes, Blob) {
        (self.bytes.freeze(), self.hasher.finish())
    }
}

impl Sink for Whole {
    type Room = BytesMut;

    fn room(&mut self, size: usize) -> BytesMut {
        self.room.split_to(size)
    }

    fn append(&mut self, part: BytesMut) -> Result<(), StageError> {
        self.hasher.update(&part);
        // They are neighbours in one buffer, and nothing is copied.
        self.bytes.unsplit(part);
        Ok(())
    }
}

/// The parts of a blob, put together in a file.
pub(super) struct Saved {
    name: String,
    file: File,
    hasher: BlobHasher,
    /// The room of parts that were written. Memory that is new costs as much as hashing what comes
    /// into it.
    spent: Vec<BytesMut>,
}

impl Saved {
    /// In `file`, of which errors speak as `name`.
    pub(super) fn new(name: String, file: File) -> Self {
        Self { name, file, hasher: BlobHasher::default(), spent: Vec::new() }
    }

    /// The file, and which blob is in it.
    pub(super) fn finish(self) -> (File, Blob) {
        (self.file, self.hasher.finish())
    }
}

impl Sink for Saved {
    type Room = BytesMut;

    fn room(&mut self, size: usize) -> BytesMut {
        let mut room = self.spent.pop().unwrap_or_default();
        room.resize(size, 0);
        room
    }

    fn append(&mut self, part: BytesMut) -> Result<(), StageError> {
        self.hasher.update(&part);
        self.file.write_all(&part).map_err(|error| unwritable(&self.name, error))?;
        self.spent.push(part);
        Ok(())
    }
}
