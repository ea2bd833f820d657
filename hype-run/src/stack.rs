//! Whether a guest ran out of the stack that its compiler keeps in linear memory.
//!
//! Rust and C keep what has an address on a stack of their own, which begins below the program's data and
//! grows towards address zero. Each function first subtracts what it needs from the global
//! `__stack_pointer`. Below zero the pointer wraps around to an address near 4 GiB, and the first access
//! there traps as an access out of bounds, which alone could be any bug. `cargo hype build` exports the
//! pointer, so that it can be looked at after the trap.

use wasmtime::{Store, Val, WasmCoreDump};

/// The name under which linkers export the pointer.
const POINTER: &str = "__stack_pointer";

/// How many bytes a function that calls no other may use below the pointer without moving it.
const RED_ZONE: u64 = 128;

/// Where addresses of 32 bits wrap around to zero.
const WRAP: u64 = 1 << 32;

/// How far below zero a fault counts as one of the stack's where the pointer isn't known.
const NEAR: u64 = 16 << 20;

/// Where the stack pointer of a guest stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StackPointer {
    /// At this address of its memory.
    Inside(u64),
    /// At an address that its memory doesn't have.
    Outside,
}

/// The stack pointer of the guest that `error` ended; of several, the first one outside of its memory. None
/// where no module of the guest exports it.
pub(crate) fn pointer<T: 'static>(
    store: &mut Store<T>,
    error: &wasmtime::Error,
) -> Option<StackPointer> {
    let mut found = None;
    for instance in error.downcast_ref::<WasmCoreDump>()?.instances() {
        let Some(global) = instance.get_global(&mut *store, POINTER) else { continue };
        let Some(memory) = instance.get_memory(&mut *store, "memory") else { continue };
        let Val::I32(address) = global.get(&mut *store) else { continue };
        let address = u64::from(address.cast_unsigned());
        if address > memory.data_size(&*store) as u64 {
            return Some(StackPointer::Outside);
        }
        found.get_or_insert(StackPointer::Inside(address));
    }
    found
}

/// Whether a guest ended because its stack was used up, with its stack pointer there, and after it reached
/// for the address `fault`.
pub(crate) fn is_exhausted(pointer: Option<StackPointer>, fault: Option<u64>) -> bool {
    let is_near = |below: u64, above: u64| {
        fault.is_some_and(|address| (WRAP - below..WRAP + above).contains(&address))
    };
    match pointer {
        Some(StackPointer::Outside) => true,
        Some(StackPointer::Inside(address)) => address < RED_ZONE && is_near(RED_ZONE, 0),
        None => is_near(NEAR, NEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_outside_of_memory_is_an_exhausted_stack_whatever_was_reached_for() {
        for fault in [None, Some(0x7fff_0000), Some(WRAP - 4)] {
            assert!(is_exhausted(Some(StackPointer::Outside), fault), "{fault:?}");
        }
    }

    #[test]
    fn an_address_below_zero_is_a_bug_where_there_is_stack_left() {
        let full = Some(StackPointer::Inside(1 << 20));
        assert!(!is_exhausted(full, Some(WRAP - 4)));
        assert!(!is_exhausted(full, None));
    }

    #[test]
    fn a_function_that_calls_no_other_reaches_below_its_pointer() {
        let low = Some(StackPointer::Inside(64));
        assert!(is_exhausted(low, Some(WRAP - 16)));
        assert!(!is_exhausted(low, Some(0x7fff_0000)));
        assert!(!is_exhausted(low, None));
    }

    #[test]
    fn without_a_pointer_the_address_tells() {
        assert!(is_exhausted(None, Some(WRAP - 4)));
        assert!(is_exhausted(None, Some(WRAP + 4)));
        assert!(!is_exhausted(None, Some(0x7fff_0000)));
        assert!(!is_exhausted(None, None));
    }
}
