//! The function `sbrk`, by which `malloc` gets more memory.
//!
//! The function of the C library of `wasm32-wasip1` grows the memory by what `malloc` needs next, mostly by one page. Each growth is
//! a call of the host, which changes the protection of the new page; and since no large page of the system fits into it, its
//! first use is a page fault of the usual size. This one grows the memory by an eighth. The linker prefers symbols of Rust's
//! libraries to those of the C library.

/// The size of a page of WebAssembly, in bytes.
const PAGE: usize = 1 << 16;

/// The size of the system's large pages, in pages of WebAssembly.
const LARGE_PAGE: usize = 32;

/// The size from which the memory ends with a large page, in pages. The host uses large pages beyond it.
const LARGE_FROM: usize = 256;

/// The number of pages that the heap may end with: the address after one more is no 32-bit number.
const MAX_PAGES: usize = (1 << 16) - 1;

/// Returns the number of pages by which a memory of `size` pages grows if `needed` are needed.
fn growth(size: usize, needed: usize) -> usize {
    let end = size + needed.max(size / 8);
    let end = if end < LARGE_FROM { end } else { end.next_multiple_of(LARGE_PAGE) };
    end - size
}

/// The part of the memory that `sbrk` has grown.
#[derive(Debug)]
struct Heap {
    /// The address up to which the heap reaches.
    used: usize,
    /// The address up to which the memory was grown for it.
    end: usize,
}

impl Heap {
    /// Returns the address of `increment` more bytes, or `None` without memory. `grow` grows the memory by a number of pages,
    /// and returns its size before.
    fn extend(
        &mut self,
        increment: usize,
        size: usize,
        grow: impl Fn(usize) -> Option<usize>,
    ) -> Option<usize> {
        if self.end - self.used < increment {
            let needed = increment.div_ceil(PAGE);
            let large = growth(size, needed);
            let (before, pages) = match grow(large) {
                Some(before) => (before, large),
                None => (grow(needed)?, needed),
            };
            // If something else has grown the memory, what is left below is lost.
            if before * PAGE != self.end {
                self.used = before * PAGE;
            }
            self.end = (before + pages).min(MAX_PAGES) * PAGE;
            if self.end - self.used < increment {
                return None;
            }
        }
        let address = self.used;
        self.used += increment;
        Some(address)
    }
}

#[cfg(target_family = "wasm")]
mod exported {
    use core::arch::wasm32::{memory_grow, memory_size};
    use std::cell::UnsafeCell;

    use super::{Heap, PAGE};

    /// A guest has one thread.
    struct OneThread(UnsafeCell<Heap>);

    // SAFETY: there is no other thread.
    unsafe impl Sync for OneThread {}

    static HEAP: OneThread = OneThread(UnsafeCell::new(Heap { used: 0, end: 0 }));

    /// Returns the address of `increment` more bytes, or -1 without memory. With zero, returns the address at which they would
    /// begin. Memory is never returned.
    #[unsafe(no_mangle)]
    extern "C" fn sbrk(increment: isize) -> usize {
        // SAFETY: this function doesn't call itself.
        let heap = unsafe { &mut *HEAP.0.get() };
        let grow = |pages| Some(memory_grow(0, pages)).filter(|before| *before != usize::MAX);
        let size = memory_size(0);
        match usize::try_from(increment) {
            Ok(0) if heap.end == heap.used => size * PAGE,
            Ok(increment) => heap.extend(increment, size, grow).unwrap_or(usize::MAX),
            Err(_) => usize::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A memory of `size` pages, of at most `max`.
    fn extend(heap: &mut Heap, increment: usize, size: &Cell<usize>, max: usize) -> Option<usize> {
        heap.extend(increment, size.get(), |pages| {
            let grown = size.get() + pages;
            (grown <= max).then(|| size.replace(grown))
        })
    }

    #[test]
    fn memory_grows_by_an_eighth_and_in_large_pages() {
        assert_eq!(growth(17, 1), 2);
        assert_eq!(growth(17, 20), 20);
        assert_eq!(growth(240, 1), 48);
        assert_eq!((1600 + growth(1600, 1)) % LARGE_PAGE, 0);
    }

    #[test]
    fn heap_is_contiguous_until_something_else_grows_the_memory() {
        let (mut heap, size) = (Heap { used: 0, end: 0 }, Cell::new(16));
        assert_eq!(extend(&mut heap, PAGE, &size, 100), Some(16 * PAGE));
        assert_eq!(size.get(), 18);
        assert_eq!(extend(&mut heap, 2 * PAGE, &size, 100), Some(17 * PAGE));
        size.set(size.get() + 1);
        let next = extend(&mut heap, 4 * PAGE, &size, 100);
        assert_eq!(next, Some(21 * PAGE));
    }

    #[test]
    fn near_its_limit_the_memory_grows_by_what_is_needed() {
        let (mut heap, size) = (Heap { used: 0, end: 0 }, Cell::new(80));
        assert_eq!(extend(&mut heap, PAGE, &size, 82), Some(80 * PAGE));
        assert_eq!(extend(&mut heap, PAGE, &size, 82), Some(81 * PAGE));
        assert_eq!(extend(&mut heap, PAGE, &size, 82), None);

        size.set(MAX_PAGES - 1);
        assert_eq!(extend(&mut heap, 2 * PAGE, &size, 1 << 16), None);
    }
}
