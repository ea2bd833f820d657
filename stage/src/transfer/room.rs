//! Memory for what is read and written.

use bytes::{Bytes, BytesMut};

/// How many bytes are given back in no time.
const AT_ONCE: usize = 1 << 20;

/// Gives back the memory of `bytes` unless somebody else has them too. The system takes as long for many
/// as reading them does, and nobody needs to wait for it.
pub(crate) fn release(bytes: Bytes) {
    if bytes.len() > AT_ONCE {
        tokio::task::spawn_blocking(move || drop(bytes));
    }
}

/// Room for `size` bytes, zeroed; what nobody has touched takes no memory.
pub(super) fn room(size: usize) -> BytesMut {
    let mut room = BytesMut::zeroed(size);
    in_large_pages(&mut room);
    room
}

/// Asks the system to back `room` with large pages. Where it does so only when asked, half of the time
/// of a large read would go into the small ones, each of which comes with an interrupt of its own.
#[cfg(target_os = "linux")]
fn in_large_pages(room: &mut [u8]) {
    use rustix::mm::{Advice, madvise};

    /// Of the usual large page.
    const LARGE: usize = 2 << 20;

    let before = room.as_ptr().align_offset(LARGE);
    let Some(inner) = room.get_mut(before..).filter(|inner| inner.len() >= LARGE) else {
        return;
    };
    let size = inner.len() / LARGE * LARGE;
    // SAFETY: these pages are `room`'s alone, and the advice changes nothing in them.
    let advised = unsafe { madvise(inner.as_mut_ptr().cast(), size, Advice::LinuxHugepage) };
    // A system without large pages has others.
    let _ = advised;
}

#[cfg(not(target_os = "linux"))]
fn in_large_pages(_room: &mut [u8]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_of_any_size_is_zeroed() {
        for size in [0, 1, 4096, (2 << 20) - 1, 2 << 20, (4 << 20) + 1, 9 << 20] {
            let room = room(size);
            assert_eq!(room.len(), size);
            assert!(room.iter().all(|byte| *byte == 0));
        }
    }
}
