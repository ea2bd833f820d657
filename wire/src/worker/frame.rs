//! The frame of a message.

use serde::Serialize;

use crate::codec;
use crate::error::WireError;

/// The maximum size of a message, in bytes.
pub const MAX_MESSAGE: usize = 128 << 10;

/// The maximum size of a body, in bytes.
pub const MAX_BODY: usize = 64 << 10;

/// The maximum size of a head, in bytes.
const MAX_HEAD: usize = MAX_MESSAGE - MAX_BODY - PREFIX;

const PREFIX: usize = 5;

/// Encodes the beginning of a message: its kind and its head.
///
/// # Errors
///
/// When the head can't be encoded, or is too large for a message.
pub fn begin(kind: u8, head: &impl Serialize) -> Result<Vec<u8>, WireError> {
    let mut bytes = vec![kind, 0, 0, 0, 0];
    codec::append(&mut bytes, head)?;
    let size = bytes.len() - PREFIX;
    if size > MAX_HEAD {
        return Err(WireError::new("the head of the message is too large"));
    }
    bytes[1..PREFIX].copy_from_slice(&(size as u32).to_le_bytes());
    Ok(bytes)
}

/// Returns the beginning of a message without a head.
pub fn without_head(kind: u8) -> [u8; PREFIX] {
    [kind, 0, 0, 0, 0]
}

/// Splits a message into its kind, its head and its body.
///
/// ```
/// use hype_wire::worker::{begin, split};
///
/// let mut message = begin(4, &7_u8)?;
/// message.extend(b"body");
/// assert_eq!(split(&message), Some((4, &[7][..], &b"body"[..])));
/// # Ok::<(), hype_wire::WireError>(())
/// ```
pub fn split(message: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (prefix, rest) = message.split_first_chunk::<PREFIX>()?;
    let [kind, size @ ..] = *prefix;
    let (head, body) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(size)).ok()?)?;
    (body.len() <= MAX_BODY).then_some((kind, head, body))
}

/// Returns the bodies of the messages that carry `bytes`, each with whether it is the last one.
pub fn parts(bytes: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let count = bytes.len().div_ceil(MAX_BODY).max(1);
    (0..count).map(move |index| {
        let end = bytes.len().min((index + 1) * MAX_BODY);
        (&bytes[index * MAX_BODY..end], index + 1 == count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_message_is_rejected() {
        for message in [&b""[..], b"1234", b"\x04\xff\xff\xff\xff", b"\x04\x02\0\0\0a"] {
            assert_eq!(split(message), None, "{message:?}");
        }
        let mut too_large = without_head(3).to_vec();
        too_large.resize(PREFIX + MAX_BODY + 1, 0);
        assert_eq!(split(&too_large), None);
    }

    #[test]
    fn only_the_last_part_is_marked() {
        let sizes = |length| {
            let bytes = vec![0; length];
            parts(&bytes).map(|(part, is_last)| (part.len(), is_last)).collect::<Vec<_>>()
        };
        assert_eq!(sizes(0), [(0, true)]);
        assert_eq!(sizes(MAX_BODY), [(MAX_BODY, true)]);
        assert_eq!(sizes(MAX_BODY + 1), [(MAX_BODY, false), (1, true)]);
    }
}
