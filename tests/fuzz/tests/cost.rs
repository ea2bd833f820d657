//! The memory use of hostile inputs is linear in their size.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use fuzz_targets::{target, types_of_results};
use hype_wire::codec::MAX_DEPTH;

/// An allocator that counts allocated bytes. This file has only one test, so no other test is counted.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all calls are forwarded to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller upholds the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller upholds the same contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns the peak of the bytes allocated by `run`.
fn peak(run: impl FnOnce()) -> usize {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    run();
    PEAK.load(Relaxed).saturating_sub(before)
}

/// Returns inputs of about `size` bytes that claim large lengths and depths.
fn greedy(size: usize) -> Vec<Vec<u8>> {
    let count = u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes();
    let head = |marker: u8| [&[marker], &count[..]].concat();
    let list_of = |element: &[u8]| {
        let half = (u32::from_be_bytes(count) / element.len() as u32).to_be_bytes();
        [&[0xdd], &half[..], &element.repeat(size / element.len())].concat()
    };
    let lists = [&[0][..], &[0xc0], &[0x80], &[0x90], &[0xa0], &[0xc4, 0], &[0x92, 1, 2]];
    let map = [&[0xdf], &(size as u32 / 3).to_be_bytes()[..], &[0xa1, b'a', 1].repeat(size / 3)];
    // Claims of more elements than there are bytes, at each of many levels.
    let levels = [0xdc, 0xdd].map(|marker| {
        let level = if marker == 0xdc { vec![0xdc, 0xff, 0xff] } else { head(0xdd) };
        [level.repeat(100), vec![0xc0; size]].concat()
    });
    // The maximum depth around one large list.
    let within = |element: u8| [vec![0x91; 127], head(0xdd), vec![element; size]].concat();
    let mut greedy: Vec<_> = lists.map(list_of).into();
    greedy.extend([map.concat(), within(0x90), within(0xc0), vec![0x91; size], vec![0x81; size]]);
    greedy.extend(levels);
    greedy
        .extend([0xc6, 0xdb, 0xdd, 0xdf].map(|marker| [head(marker), vec![0; size - 5]].concat()));
    greedy
}

/// The maximum memory use for each byte of the input, in bytes. A value of one byte decodes to at most some 32
/// bytes, in a vector that is reallocated to twice its size.
const MAX_FACTOR: usize = 200;

/// Recursive untagged enums. serde buffers their content again for each level, so their memory use also grows with
/// the depth.
const BUFFERED_AT_EACH_LEVEL: [&str; 2] =
    ["fuzz_targets::types::Anything", "fuzz_targets::types::Envelope"];

#[test]
fn memory_use_is_linear_in_the_input() {
    for size in [1 << 10, 32 << 10] {
        let mut most = (0, "nothing");
        for bytes in greedy(size) {
            for (name, check) in types_of_results() {
                if !BUFFERED_AT_EACH_LEVEL.contains(&name) {
                    most = most.max((peak(|| _ = check(&bytes)), name));
                } else if size == 1 << 10 {
                    let peak = peak(|| _ = check(&bytes));
                    assert!(
                        peak <= MAX_FACTOR * MAX_DEPTH * size,
                        "{size} bytes cost {peak} as {name}"
                    );
                }
            }
            // `arguments` combines the types above.
            for name in ["outcome", "manifest", "section", "component", "names"] {
                most = most.max((peak(|| _ = (target(name).run)(&bytes)), name));
            }
        }
        let (peak, name) = most;
        println!("{size} bytes cost {peak}, {} each, as {name}", peak / size);
        assert!(peak <= MAX_FACTOR * size, "{size} bytes cost {peak} as {name}");
    }
}
