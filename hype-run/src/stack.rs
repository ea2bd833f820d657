//! Detects a guest that ran out of the stack that its compiler keeps in linear memory.
//!
//! Rust and C keep variables that have an address on a separate stack, which begins below the program's
//! data and grows towards address zero. Each function first subtracts the size of its frame from the
//! global `__stack_pointer`. Below zero the pointer wraps around to an address near 4 GiB, and the
//! first access there traps as out of bounds, like many other bugs. `cargo hype build` exports the
//! pointer, so that it can be read after the trap.

use wasmtime::{Store, Val, WasmCoreDump};

/// The name under which linkers export the pointer.
const POINTER: &str = "__stack_pointer";

/// The bytes below the pointer that a leaf function may use without moving it.
const RED_ZONE: u64 = 128;

/// The first address after the 32-bit address space, where addresses wrap around to zero.
const WRAP: u64 = 1 << 32;

/// The distance from zero, in bytes, within which a fault is attributed to the stack if the pointer is
/// unknown.
const NEAR: u64 = 16 << 20;

/// The stack pointer of a guest after a trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StackPointer {
    /// An address in the guest's memory.
    Inside(u64),
    /// An address outside of the guest's memory.
    Outside,
}

/// Returns the stack pointer of the guest that `error` ended, if a module of the guest exports one. Of
/// several pointers, the first one outside of its memory counts.
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

/// Returns whether a guest with this stack pointer, which trapped at the address `fault`, used up its
/// stack.
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
    fn pointer_outside_of_memory_means_exhausted_stack() {
        for fault in [None, Some(0x7fff_0000), Some(WRAP - 4)] {
            assert!(is_exhausted(Some(StackPointer::Outside), fault), "{fault:?}");
        }
    }

    #[test]
    fn fault_below_zero_with_stack_left_is_another_bug() {
        let full = Some(StackPointer::Inside(1 << 20));
        assert!(!is_exhausted(full, Some(WRAP - 4)));
        assert!(!is_exhausted(full, None));
    }

    #[test]
    fn leaf_function_may_fault_below_its_pointer() {
        let low = Some(StackPointer::Inside(64));
        assert!(is_exhausted(low, Some(WRAP - 16)));
        assert!(!is_exhausted(low, Some(0x7fff_0000)));
        assert!(!is_exhausted(low, None));
    }

    #[test]
    fn fault_address_decides_without_a_pointer() {
        assert!(is_exhausted(None, Some(WRAP - 4)));
        assert!(is_exhausted(None, Some(WRAP + 4)));
        assert!(!is_exhausted(None, Some(0x7fff_0000)));
        assert!(!is_exhausted(None, None));
    }
}
