//! Large pages for guests that use much memory.
//!
//! A page that a guest touches for the first time comes with an interrupt and a cleared page, and those
//! of usual size take three times as long as the bytes that are written to them. wasmtime doesn't say
//! where a component's memories are. In an engine that has set room aside, though, memories come
//! and go in the same places, so that each is looked at once, beforehand.

use rustix::mm::{Advice, madvise};
use wasmtime::{Engine, Instance, Module, Store};

/// Up to where a memory has pages of the usual size: most guests stay below, and a large page that
/// is touched once takes as long as hundreds of others.
const SMALL: usize = 16 << 20;

/// How much room a 32-bit memory has.
const WHOLE: usize = 4 << 30;

/// A module with nothing but a memory of no pages: `(module (memory (export "") 0))`.
const MEMORY: &[u8] = b"\0asm\x01\0\0\0\x05\x03\x01\0\0\x07\x04\x01\0\x02\0";

/// Asks the system to back what is beyond [`SMALL`] of each of the `count` memories that `engine` has room for
/// with large pages.
pub(crate) fn prefer(engine: &Engine, count: usize) -> wasmtime::Result<()> {
    let module = Module::new(engine, MEMORY)?;
    let mut store = Store::new(engine, ());
    // All of them at once, so that each is in a place of its own.
    for _ in 0..count {
        let instance = Instance::new(&mut store, &module, &[])?;
        if let Some(memory) = instance.get_memory(&mut store, "") {
            let start = memory.data_ptr(&store).wrapping_add(SMALL);
            // SAFETY: the room of a memory is the engine's, and the advice changes nothing in it.
            let advised = unsafe { madvise(start.cast(), WHOLE - SMALL, Advice::LinuxHugepage) };
            // A system without large pages has others.
            let _ = advised;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::engine::{Platform, Slots, engine};

    #[test]
    fn what_guests_grow_to_has_large_pages() {
        if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            eprintln!("this system has no large pages: nothing was tested");
            return;
        }
        let slots = Slots(2);
        let engine = engine(Platform::here(), Some(slots)).unwrap();
        prefer(&engine, slots.memories()).unwrap();

        // `(module (memory (export "") 512))`: 32 MiB.
        let memory = b"\0asm\x01\0\0\0\x05\x04\x01\0\x80\x04\x07\x04\x01\0\x02\0";
        let module = Module::new(&engine, memory).unwrap();
        // Places are used again.
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
                assert!(!is_preferred(memory.start + SMALL - 1), "round {round}");
                assert!(is_preferred(memory.start + SMALL), "round {round}");
                assert!(is_preferred(memory.end - 1), "round {round}");
            }
        }
    }

    /// Where large pages were asked for, as the system tells of each mapping.
    fn preferred() -> Vec<Range<usize>> {
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
