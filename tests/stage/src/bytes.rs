//! Random bytes for the cases.

use ::bytes::Bytes;
use hype_wire::Digest;

/// Returns `size` deterministic random bytes, different for each `seed`.
pub fn some(size: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(size.div_ceil(8)).flatten().take(size).collect()
}

/// Asserts that two byte strings are equal. A failure prints sizes and digests, which are short.
#[track_caller]
pub fn assert_same(found: &[u8], expected: &[u8]) {
    assert_eq!((found.len(), Digest::of(found)), (expected.len(), Digest::of(expected)));
}
