//! What hostile bytes can cost in memory: never more than so many bytes for each of theirs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use fuzz_targets::{target, types_of_results};
use hype_wire::codec::MAX_DEPTH;

/// Counts what is allocated. There is one test here, so that nobody else's is.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is handed to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many bytes `run` has allocated at most at one time.
fn peak(run: impl FnOnce()) -> usize {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    run();
    PEAK.load(Relaxed).saturating_sub(before)
}

/// Bytes that claim much, each of about `size` bytes.
fn greedy(size: usize) -> Vec<Vec<u8>> {
    let count = u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes();
    let head = |marker: u8| [&[marker], &count[..]].concat();
    let list_of = |element: &[u8]| {
        let half = (u32::from_be_bytes(count) / element.len() as u32).to_be_bytes();
        [&[0xdd], &half[..], &element.repeat(size / element.len())].concat()
    };
    let lists = [&[0][..], &[0xc0], &[0x80], &[0x90], &[0xa0], &[0xc4, 0], &[0x92, 1, 2]];
    let map = [&[0xdf], &(size as u32 / 3).to_be_bytes()[..], &[0xa1, b'a', 1].repeat(size / 3)];
    // More elements than there are bytes, at each of many levels.
    let levels = [0xdc, 0xdd].map(|marker| {
        let level = if marker == 0xdc { vec![0xdc, 0xff, 0xff] } else { head(0xdd) };
        [level.repeat(100), vec![0xc0; size]].concat()
    });
    // As many levels as may be, around all that there is.
    let within = |element: u8| [vec![0x91; 127], head(0xdd), vec![element; size]].concat();
    let mut greedy: Vec<_> = lists.map(list_of).into();
    greedy.extend([map.concat(), within(0x90), within(0xc0), vec![0x91; size], vec![0x81; size]]);
    greedy.extend(levels);
    greedy
        .extend([0xc6, 0xdb, 0xdd, 0xdf].map(|marker| [head(marker), vec![0; size - 5]].concat()));
    greedy
}

/// How many bytes there may be for each of the input's. A value of one byte becomes at most one of
/// some 32 bytes, in a vector that doubles as it grows while the old one is still there.
const MOST: usize = 200;

/// Types that are an untagged enum within an untagged enum: serde keeps what is in it once more for
/// each level, so that depth counts too.
const KEPT_AT_EACH_LEVEL: [&str; 2] =
    ["fuzz_targets::types::Anything", "fuzz_targets::types::Envelope"];

#[test]
fn memory_goes_with_the_number_of_bytes() {
    for size in [1 << 10, 32 << 10] {
        let mut most = (0, "nothing");
        for bytes in greedy(size) {
            for (name, reading) in types_of_results() {
                if !KEPT_AT_EACH_LEVEL.contains(&name) {
                    most = most.max((peak(|| _ = reading(&bytes)), name));
                } else if size == 1 << 10 {
                    let peak = peak(|| _ = reading(&bytes));
                    assert!(peak <= MOST * MAX_DEPTH * size, "{size} bytes cost {peak} as {name}");
                }
            }
            // The others are made of many types.
            for name in ["outcome", "manifest", "section", "component", "names"] {
                most = most.max((peak(|| _ = (target(name).run)(&bytes)), name));
            }
        }
        let (peak, name) = most;
        println!("{size} bytes cost {peak}, {} each, as {name}", peak / size);
        assert!(peak <= MOST * size, "{size} bytes cost {peak} as {name}");
    }
}
