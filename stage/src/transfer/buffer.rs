//! Buffers of transfers.

use bytes::{Bytes, BytesMut};

use crate::blocking::spawn_io;

/// The maximum size of a buffer that is freed on the current thread, in bytes.
const FREED_INLINE: usize = 1 << 20;

/// Drops `bytes`, on another thread if they are large: to free much memory takes as long as to read it.
pub(crate) fn release(bytes: Bytes) {
    if bytes.len() > FREED_INLINE {
        drop(spawn_io(move || drop(bytes)));
    }
}

/// Allocates a zeroed buffer of `size` bytes, in huge pages where possible. Untouched pages use no memory.
pub(super) fn zeroed(size: usize) -> BytesMut {
    let mut buffer = BytesMut::zeroed(size);
    advise_huge_pages(&mut buffer);
    buffer
}

/// Advises the system to back `buffer` with huge pages. With normal pages, half of the time of a large read is
/// spent in page faults.
#[cfg(target_os = "linux")]
fn advise_huge_pages(buffer: &mut [u8]) {
    use rustix::mm::{Advice, madvise};

    /// The usual size of a huge page, in bytes.
    const HUGE_PAGE: usize = 2 << 20;

    let before = buffer.as_ptr().align_offset(HUGE_PAGE);
    let Some(inner) = buffer.get_mut(before..).filter(|inner| inner.len() >= HUGE_PAGE) else {
        return;
    };
    let size = inner.len() / HUGE_PAGE * HUGE_PAGE;
    // SAFETY: the pages belong to `buffer` alone, and the advice doesn't change their content.
    let advised = unsafe { madvise(inner.as_mut_ptr().cast(), size, Advice::LinuxHugepage) };
    // A system without huge pages uses normal ones.
    let _ = advised;
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_buffer: &mut [u8]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffer_of_any_size_is_zeroed() {
        for size in [0, 1, 4096, (2 << 20) - 1, 2 << 20, (4 << 20) + 1, 9 << 20] {
            let buffer = zeroed(size);
            assert_eq!(buffer.len(), size);
            assert!(buffer.iter().all(|byte| *byte == 0));
        }
    }
}
