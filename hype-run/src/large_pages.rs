//! Large pages for guests that use much memory, and for large values.
//!
//! The first access to a page causes a page fault, and the system clears the page. With pages of the
//! usual size this takes three times as long as writing the data. wasmtime doesn't expose the address
//! of a component's memory. A pooled engine reuses the same memories, so that their addresses are
//! found once, with a small module, before any guest runs.

use std::mem::MaybeUninit;

use rustix::mm::{Advice, madvise};
use wasmtime::{Engine, Instance, Module, Store};

/// The size of the beginning of each memory that keeps pages of the usual size, in bytes. Most guests
/// use less, and one access to a large page takes as long as hundreds of accesses to small ones.
const SMALL_PAGES_UNTIL: usize = 16 << 20;

/// The address space of a 32-bit memory, in bytes.
const RESERVED_PER_MEMORY: usize = 4 << 30;

/// The usual size of a large page, in bytes.
const LARGE_PAGE: usize = 2 << 20;

/// The minimum size of a buffer that gets large pages, in bytes. glibc maps buffers from this size on, and unmaps them when
/// they are freed, so that the advice affects no other memory. Other allocators may use the pages again.
const MIN_BUFFER: usize = 32 << 20;

/// A module that only has an empty memory: `(module (memory (export "") 0))`.
const MEMORY: &[u8] = b"\0asm\x01\0\0\0\x05\x03\x01\0\0\x07\x04\x01\0\x02\0";

/// Asks the system for large pages beyond the first [`SMALL_PAGES_UNTIL`] bytes of each of the `count`
/// memories that `engine` has reserved.
pub(crate) fn prefer(engine: &Engine, count: usize) -> wasmtime::Result<()> {
    let module = Module::new(engine, MEMORY)?;
    let mut store = Store::new(engine, ());
    // All instances live at the same time, so that each occupies another memory.
    for _ in 0..count {
        let instance = Instance::new(&mut store, &module, &[])?;
        if let Some(memory) = instance.get_memory(&mut store, "") {
            let start = memory.data_ptr(&store).wrapping_add(SMALL_PAGES_UNTIL);
            // SAFETY: the address space belongs to the engine, and the advice doesn't change its content.
            let advised = unsafe {
                madvise(
                    start.cast(),
                    RESERVED_PER_MEMORY - SMALL_PAGES_UNTIL,
                    Advice::LinuxHugepage,
                )
            };
            // A system without large pages uses small ones.
            let _ = advised;
        }
    }
    Ok(())
}

/// Reserves room for exactly `additional` more bytes in `buffer`, in large pages if they are many.
pub(crate) fn reserve_exact(buffer: &mut Vec<u8>, additional: usize) {
    buffer.reserve_exact(additional);
    let spare = buffer.spare_capacity_mut();
    if spare.len() < MIN_BUFFER {
        return;
    }
    let before = spare.as_ptr().align_offset(LARGE_PAGE);
    let Some(inner) = spare.get_mut(before..) else { return };
    let size = inner.len() / LARGE_PAGE * LARGE_PAGE;
    let inner: *mut MaybeUninit<u8> = inner.as_mut_ptr();
    // SAFETY: the pages belong to `buffer` alone, and the advice doesn't change their content.
    let advised = unsafe { madvise(inner.cast(), size, Advice::LinuxHugepage) };
    // A system without large pages uses small ones.
    let _ = advised;
}

#[cfg(test)]
pub(crate) mod tests {
    use std::ops::Range;

    use super::*;
    use crate::engine::{CodeKind, Platform, Slots, engine};

    #[test]
    fn grown_memory_has_large_pages() {
        if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            eprintln!("skipped: this system has no large pages");
            return;
        }
        let slots = Slots(2);
        let engine = engine(Platform::here(), CodeKind::Checked, Some(slots)).unwrap();
        prefer(&engine, slots.memories()).unwrap();

        // `(module (memory (export "") 512))`: 32 MiB.
        let memory = b"\0asm\x01\0\0\0\x05\x04\x01\0\x80\x04\x07\x04\x01\0\x02\0";
        let module = Module::new(&engine, memory).unwrap();
        // The second round reuses the memories of the first.
        for round in 0..2 {
            let mut store = Store::new(&engine, ());
            let mut memories = Vec::new();
            for _ in 0..slots.memories() {
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let memory = instance.get_memory(&mut store, "").unwrap();
                let start = memory.data_ptr(&store) as usize;
                memories.push(start..start + memory.data_size(&store));
            }
            let preferred = preferred();
            let is_preferred = |address| preferred.iter().any(|range| range.contains(&address));
            for memory in memories {
                assert!(!is_preferred(memory.start), "round {round}");
                assert!(!is_preferred(memory.start + SMALL_PAGES_UNTIL - 1), "round {round}");
                assert!(is_preferred(memory.start + SMALL_PAGES_UNTIL), "round {round}");
                assert!(is_preferred(memory.end - 1), "round {round}");
            }
        }
    }

    #[test]
    fn large_buffer_has_large_pages() {
        if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            eprintln!("skipped: this system has no large pages");
            return;
        }
        let mut buffer = vec![1, 2, 3];
        reserve_exact(&mut buffer, 2 * MIN_BUFFER);
        assert_eq!(buffer.capacity(), 2 * MIN_BUFFER + 3);
        let middle = buffer.as_ptr() as usize + MIN_BUFFER;
        assert!(preferred().iter().any(|range| range.contains(&middle)));
        assert_eq!(buffer, [1, 2, 3]);
    }

    /// Returns the address ranges for which large pages were requested, from `/proc/self/smaps`.
    pub(crate) fn preferred() -> Vec<Range<usize>> {
        let mappings = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let (mut preferred, mut current) = (Vec::new(), 0..0);
        for line in mappings.lines() {
            let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
            if first == "VmFlags:" && rest.split(' ').any(|flag| flag == "hg") {
                preferred.push(current.clone());
            } else if let Some((start, end)) = first.split_once('-') {
                let address = |text| usize::from_str_radix(text, 16).unwrap();
                current = address(start)..address(end);
            }
        }
        preferred
    }
}
