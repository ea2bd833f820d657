//! Bytes from one file to another, hashed on their way.

use std::io::{ErrorKind, Read, Result, Write};

use hype_wire::{Blob, BlobHasher};

/// How many bytes are hashed and copied at once: few enough to stay in a processor's own memory.
const AT_ONCE: usize = 128 << 10;

/// Copies all of `from` to `to`, and tells which blob that was.
///
/// # Errors
///
/// Those of reading and writing.
pub fn hashed_copy(from: &mut impl Read, to: &mut impl Write) -> Result<Blob> {
    let (mut hasher, mut piece) = (BlobHasher::default(), vec![0; AT_ONCE]);
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => {
                hasher.update(&piece[..read]);
                to.write_all(&piece[..read])?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
