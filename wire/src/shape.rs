//! Validation of the structure of untrusted MessagePack before it is decoded.
//!
//! A decoder trusts the lengths in its input: it allocates memory for the claimed elements of a list
//! and recurses into each nested value. So a small input could exhaust the memory or the stack;
//! rmp-serde's own limit doesn't count the levels of enums. A validated value has all elements that it
//! claims and nests at most [`MAX_DEPTH`] levels. The validation allocates nothing and takes time
//! linear in the number of values.

use rmp::Marker;

use crate::error::{Fault, WireError};

/// The maximum depth of a value. Deeper values are rejected, since they could overflow a stack.
pub const MAX_DEPTH: usize = 128;

pub(crate) const TOO_DEEP: &str = "it nests too deep: values may nest 128 levels (lists, maps, structures, variants with content)";

/// Splits `bytes` after the value at their start.
///
/// # Errors
///
/// Returns an error if the value is truncated, nests too deep, or contains the marker byte that
/// MessagePack never uses.
pub(crate) fn split_value(bytes: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let mut rest = Rest(bytes);
    // The number of values left in each open list and map.
    let mut open = [0_u64; MAX_DEPTH];
    let mut depth = 0;
    loop {
        let inner = rest.head()?;
        if inner > 0 {
            *open.get_mut(depth).ok_or_else(too_deep)? = inner;
            depth += 1;
        }
        // Close the lists and maps whose last value ended here.
        while depth > 0 && open[depth - 1] == 0 {
            depth -= 1;
        }
        if depth == 0 {
            return Ok(bytes.split_at(bytes.len() - rest.0.len()));
        }
        open[depth - 1] -= 1;
    }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Skips a value's head, and the bytes of a text or a number. Returns the number of values inside.
    fn head(&mut self) -> Result<u64, WireError> {
        let marker = Marker::from_u8(self.number(1)? as u8);
        let skipped = match marker {
            Marker::FixArray(length) => return Ok(length.into()),
            Marker::Array16 => return self.number(2),
            Marker::Array32 => return self.number(4),
            Marker::FixMap(length) => return Ok(2 * u64::from(length)),
            Marker::Map16 => return Ok(2 * self.number(2)?),
            Marker::Map32 => return Ok(2 * self.number(4)?),
            Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => {
                0
            }
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 | Marker::FixExt1 => 2,
            Marker::FixExt2 => 3,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::FixExt4 => 5,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            Marker::FixExt8 => 9,
            Marker::FixExt16 => 17,
            Marker::FixStr(length) => length.into(),
            Marker::Str8 | Marker::Bin8 => self.number(1)?,
            Marker::Str16 | Marker::Bin16 => self.number(2)?,
            Marker::Str32 | Marker::Bin32 => self.number(4)?,
            Marker::Ext8 => self.number(1)? + 1,
            Marker::Ext16 => self.number(2)? + 1,
            Marker::Ext32 => self.number(4)? + 1,
            Marker::Reserved => return Err(unused()),
        };
        self.take(skipped).map(|_| 0)
    }

    /// Reads a big-endian number of `width` bytes.
    fn number(&mut self, width: u64) -> Result<u64, WireError> {
        let bytes = self.take(width)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn take(&mut self, length: u64) -> Result<&[u8], WireError> {
        let length = usize::try_from(length).map_err(|_| ends_early())?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(ends_early)?;
        self.0 = rest;
        Ok(taken)
    }
}

fn ends_early() -> WireError {
    WireError::new("the bytes end too early").with_fault(Fault::Malformed)
}

fn too_deep() -> WireError {
    WireError::new(TOO_DEEP).with_fault(Fault::Depth)
}

fn unused() -> WireError {
    WireError::new("a byte that MessagePack doesn't use is in it").with_fault(Fault::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(bytes: &[u8]) -> Result<usize, String> {
        split_value(bytes).map(|(value, _)| value.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn value_is_split_at_its_end() {
        let values: [&[u8]; 13] = [
            &[0x7f],
            &[0xe0],
            &[0xc0],
            &[0xcd, 1, 2],
            &[0xcb, 0, 0, 0, 0, 0, 0, 0, 0],
            b"\xa3abc",
            b"\xc4\x02ab",
            &[0xc7, 1, 5, 0],
            &[0xd4, 5, 0],
            &[0x90],
            &[0x92, 0x91, 1, 0x80],
            &[0xdc, 0, 2, 1, 2],
            &[0x82, 1, 0x81, 2, 3, 4, 0x90],
        ];
        for value in values {
            assert_eq!(length(value), Ok(value.len()), "{value:x?}");
            assert_eq!(length(&[value, &[0xc1]].concat()), Ok(value.len()), "{value:x?}");
            for cut in 0..value.len() {
                assert_eq!(length(&value[..cut]), Err("the bytes end too early".into()));
            }
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |levels| [vec![0x91; levels], vec![1]].concat();
        assert_eq!(length(&nested(MAX_DEPTH)), Ok(MAX_DEPTH + 1));
        assert!(length(&nested(MAX_DEPTH + 1)).unwrap_err().contains("nests too deep"));
        let many = [vec![0xdc, 1, 0], nested(MAX_DEPTH - 1).repeat(256)].concat();
        assert_eq!(length(&many), Ok(many.len()));
    }

    #[test]
    fn unused_marker_is_rejected() {
        assert!(length(&[0x92, 1, 0xc1]).unwrap_err().contains("doesn't use"));
    }
}
