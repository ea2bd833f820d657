//! Copies files and hashes them in one pass, on all cores.

use std::fs::File;
use std::io::{self, ErrorKind};

use hype_wire::{Blob, PartHash, PartHasher};

use crate::parallel::on_all_cores;

/// The size of the copy buffer, in bytes: small enough for the processor's cache.
const BUFFER_SIZE: usize = 128 << 10;

static ZEROS: [u8; BUFFER_SIZE] = [0; BUFFER_SIZE];

/// The error of [`hashed_copy`].
#[derive(Debug)]
pub enum CopyError {
    /// The source can't be read. `UnexpectedEof`: it is shorter than the copy.
    Read(io::Error),
    /// The copy can't be written.
    Write(io::Error),
}

impl From<CopyError> for io::Error {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Read(error) | CopyError::Write(error) => error,
        }
    }
}

/// Replaces the content of `to` by the first `size` bytes of `from`, and returns the blob of the copied bytes. The
/// positions of the files don't matter. Long runs of zeros become holes, which need no memory and no disk blocks.
///
/// # Errors
///
/// Returns the errors of reading and writing.
///
/// ```
/// use std::io::{Error, Read, Write};
///
/// let (mut from, mut to) = (tempfile::tempfile()?, tempfile::tempfile()?);
/// from.write_all(b"bytes")?;
/// let blob = hype_stage::hashed_copy(&from, &to, 5).map_err(Error::from)?;
/// let mut copy = Vec::new();
/// to.read_to_end(&mut copy)?;
/// assert_eq!((blob, &copy[..]), (hype_wire::Blob::of(b"bytes"), &b"bytes"[..]));
/// # Ok::<(), Error>(())
/// ```
pub fn hashed_copy(from: &File, to: &File, size: u64) -> Result<Blob, CopyError> {
    let parts = size.div_ceil(PartHasher::SIZE as u64);
    let parts =
        usize::try_from(parts).map_err(|_| CopyError::Write(ErrorKind::FileTooLarge.into()))?;
    // Zeros aren't written, so none of the earlier content may remain.
    to.set_len(0).and_then(|()| to.set_len(size)).map_err(CopyError::Write)?;
    let hashes = on_all_cores(parts, |number| copy_part(from, to, number as u64, size))?;
    Ok(Blob::of_parts(&hashes))
}

fn copy_part(from: &File, to: &File, number: u64, size: u64) -> Result<PartHash, CopyError> {
    let (mut hasher, mut piece) = (PartHasher::new(number), vec![0; BUFFER_SIZE]);
    let mut position = number * PartHasher::SIZE as u64;
    let end = size.min(position + PartHasher::SIZE as u64);
    while position < end {
        let left = usize::try_from(end - position).unwrap_or(usize::MAX);
        let piece = &mut piece[..left.min(BUFFER_SIZE)];
        read_exact_at(from, piece, position).map_err(CopyError::Read)?;
        hasher.update(piece);
        if *piece != ZEROS[..piece.len()] {
            write_all_at(to, piece, position).map_err(CopyError::Write)?;
        }
        position += piece.len() as u64;
    }
    Ok(hasher.finish())
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], position: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, position)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, position)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut position: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, position)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => (bytes, position) = (&mut bytes[read..], position + read as u64),
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut position: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, position)? {
            0 => return Err(ErrorKind::WriteZero.into()),
            written => (bytes, position) = (&bytes[written..], position + written as u64),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn file_of_any_size_is_copied() {
        let mut bytes: Vec<u8> =
            (0..3 * PartHasher::SIZE).map(|index| (index % 251) as u8).collect();
        bytes[BUFFER_SIZE..3 * BUFFER_SIZE].fill(0);
        let mut from = tempfile::tempfile().unwrap();
        from.write_all(&bytes).unwrap();
        let part = PartHasher::SIZE;
        for size in [0, 1, BUFFER_SIZE + 1, part, part + 1, 3 * part - 1] {
            let mut to = tempfile::tempfile().unwrap();
            let blob = hashed_copy(&from, &to, size as u64).unwrap();
            let mut copy = Vec::new();
            to.read_to_end(&mut copy).unwrap();
            assert!(blob == Blob::of(&bytes[..size]) && copy == bytes[..size], "{size} bytes");
        }
    }

    #[test]
    fn earlier_content_is_replaced() {
        let (from, mut to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        from.set_len(BUFFER_SIZE as u64).unwrap();
        to.write_all(&vec![1; 2 * BUFFER_SIZE]).unwrap();
        hashed_copy(&from, &to, BUFFER_SIZE as u64).unwrap();
        let mut copy = Vec::new();
        std::io::Seek::rewind(&mut to).unwrap();
        to.read_to_end(&mut copy).unwrap();
        assert!(copy == ZEROS);
    }

    #[test]
    fn errors_of_reading_and_writing_are_told_apart() {
        let mut from = tempfile::NamedTempFile::new().unwrap();
        from.write_all(b"bytes").unwrap();
        let (from, to) = (File::open(from.path()).unwrap(), File::open(from.path()).unwrap());
        let to_be_written = tempfile::tempfile().unwrap();
        let too_short = hashed_copy(&from, &to_be_written, 6).unwrap_err();
        assert!(
            matches!(&too_short, CopyError::Read(error) if error.kind() == ErrorKind::UnexpectedEof),
            "{too_short:?}"
        );
        let read_only = hashed_copy(&from, &to, 5).unwrap_err();
        assert!(matches!(read_only, CopyError::Write(_)), "{read_only:?}");
    }
}
