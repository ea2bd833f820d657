//! The function `memcmp`, which everything calls that compares strings or slices of bytes: `==`, sorting, maps.
//!
//! The C library of `wasm32-wasip1` compares one byte after the other; this function compares eight at a time. The linker
//! prefers symbols of Rust's libraries to those of the C library.

use std::ffi::c_int;

/// Returns a negative number, zero or a positive number as the `length` bytes at `left` are less than, equal to, or greater
/// than those at `right`.
///
/// # Safety
///
/// Both pointers must be those of `length` bytes that can be read, as in C.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, length: usize) -> c_int {
    // SAFETY: the caller guarantees that there are `length` bytes, and all accesses are below.
    unsafe {
        let bytes = |at| (read::<u8>(left, at).into(), read::<u8>(right, at).into());
        let fours = |at| (read::<u32>(left, at).into(), read::<u32>(right, at).into());
        let eights = |at| (read::<u64>(left, at), read::<u64>(right, at));
        let mut pair = (0, 0);
        if length >= 8 {
            let last = length - 8;
            let mut at = 0;
            while at < last {
                pair = eights(at);
                if pair.0 != pair.1 {
                    return order(pair);
                }
                at += 8;
            }
            // It overlaps with equal bytes.
            pair = eights(last);
        } else if length >= 4 {
            pair = fours(0);
            if pair.0 == pair.1 {
                pair = fours(length - 4);
            }
        } else {
            let mut at = 0;
            while at < length && pair.0 == pair.1 {
                pair = bytes(at);
                at += 1;
            }
        }
        if pair.0 == pair.1 { 0 } else { order(pair) }
    }
}

/// Returns the order of two numbers by their bytes, the first of which is the lowest.
fn order((left, right): (u64, u64)) -> c_int {
    left.to_be().cmp(&right.to_be()) as c_int
}

/// Reads a number at any alignment.
///
/// # Safety
///
/// There must be a number at that offset.
unsafe fn read<T: Copy>(start: *const u8, offset: usize) -> T {
    // SAFETY: as the caller guarantees.
    unsafe { start.add(offset).cast::<T>().read_unaligned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_those_of_slices() {
        let bytes: Vec<u8> = (0..40).map(|byte: u8| byte.wrapping_mul(37)).collect();
        for length in 0..bytes.len() {
            let left = &bytes[..length];
            // Equal bytes, and bytes that differ once or twice.
            for (first, second) in (0..=length).flat_map(|it| (it..=length).map(move |at| (it, at)))
            {
                let mut right = left.to_vec();
                for at in [first, second] {
                    if let Some(byte) = right.get_mut(at) {
                        *byte ^= 0x80 >> (at % 8);
                    }
                }
                // SAFETY: both have `length` bytes.
                let order = unsafe { memcmp(left.as_ptr(), right.as_ptr(), length) };
                assert_eq!(order.cmp(&0), left.cmp(&right), "{left:?} {right:?}");
            }
        }
    }
}
