//! Copies bytes and hashes them in one pass.

use std::io::{ErrorKind, Read, Result, Write};

use hype_wire::{Blob, BlobHasher};

/// The size of the copy buffer, in bytes: small enough for the processor's cache.
const BUFFER_SIZE: usize = 128 << 10;

/// Copies all of `from` to `to`, and returns the blob of the bytes.
///
/// # Errors
///
/// Returns the errors of reading and writing.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut copy = Vec::new();
/// let blob = hype_stage::hashed_copy(&mut &b"bytes"[..], &mut copy)?;
/// assert_eq!((blob, &copy[..]), (hype_wire::Blob::of(b"bytes"), &b"bytes"[..]));
/// # Ok(())
/// # }
/// ```
pub fn hashed_copy(from: &mut impl Read, to: &mut impl Write) -> Result<Blob> {
    let (mut hasher, mut piece) = (BlobHasher::default(), vec![0; BUFFER_SIZE]);
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
