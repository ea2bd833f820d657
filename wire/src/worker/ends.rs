//! The ends of several calls in one message.

use super::message::CallEnd;
use crate::codec;
use crate::error::WireError;

/// The size of a head or of a value, in bytes.
const SIZE: usize = size_of::<u32>();

/// Appends the end of a call with its value, or with its failure in MessagePack: each with its size before it.
///
/// ```
/// # use hype_wire::worker::{CallEnd, append_end, parse_ends};
/// # fn ends(end: CallEnd) -> Result<(), Box<dyn std::error::Error>> {
/// let mut ends = Vec::new();
/// append_end(&mut ends, &end, b"value")?;
/// assert_eq!(parse_ends(&ends), Some(vec![(end, &b"value"[..])]));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// When the end can't be encoded.
pub fn append_end(ends: &mut Vec<u8>, end: &CallEnd, value: &[u8]) -> Result<(), WireError> {
    let start = ends.len();
    ends.extend_from_slice(&[0; SIZE]);
    codec::append(ends, end)?;
    let size = (ends.len() - start - SIZE) as u32;
    ends[start..start + SIZE].copy_from_slice(&size.to_le_bytes());
    ends.extend_from_slice(&(value.len() as u32).to_le_bytes());
    ends.extend_from_slice(value);
    Ok(())
}

/// Parses any bytes. Returns `None` if they are no ends.
pub fn parse_ends(mut bytes: &[u8]) -> Option<Vec<(CallEnd, &[u8])>> {
    let mut ends = Vec::new();
    while !bytes.is_empty() {
        let end = codec::from_slice(take_sized(&mut bytes)?).ok()?;
        ends.push((end, take_sized(&mut bytes)?));
    }
    Some(ends)
}

fn take_sized<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (size, rest) = bytes.split_first_chunk::<SIZE>()?;
    let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
    let (sized, rest) = rest.split_at_checked(size)?;
    *bytes = rest;
    Some(sized)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(run_us: u64) -> CallEnd {
        CallEnd { is_failure: false, start_us: 1, run_us, cpu_us: 3, peak_memory: 4 }
    }

    #[test]
    fn ends_are_read_as_they_were_written() {
        let mut bytes = Vec::new();
        append_end(&mut bytes, &end(5), b"five").unwrap();
        append_end(&mut bytes, &end(7), b"").unwrap();
        assert_eq!(parse_ends(&bytes), Some(vec![(end(5), &b"five"[..]), (end(7), b"")]));
        assert_eq!(parse_ends(b""), Some(Vec::new()));
    }

    #[test]
    fn malformed_ends_are_rejected() {
        let mut cut = Vec::new();
        append_end(&mut cut, &end(5), b"five").unwrap();
        cut.pop();
        let malformed =
            [&b"\0\0"[..], b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\0\0\0\xc0\0\0\0\0", &cut];
        for bytes in malformed {
            assert_eq!(parse_ends(bytes), None, "{bytes:?}");
        }
    }
}
