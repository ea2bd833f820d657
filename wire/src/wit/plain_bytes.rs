//! Functions that only take or return a `list<u8>`, whose bytes can go into and out of a memory without a copy between.

use crate::wit::layout::{Kind, Layout};
use crate::wit::signature::Signature;

/// The maximum size of the MessagePack before the bytes: the head of an array, and that of a byte string.
pub const MAX_BYTES_HEAD: usize = 6;

impl Signature {
    /// Returns whether the only parameter is a `list<u8>`.
    pub fn takes_only_bytes(&self) -> bool {
        match &self.parameters().kind {
            Kind::Tuple(types) => matches!(types.as_slice(), [(_, of)] if is_bytes(of)),
            _ => false,
        }
    }

    /// Returns the bytes of a result that is a `list<u8>`, where they are in `memory`. Returns `None` for a result of another
    /// type, or one that is not within the memory. `core` is the core value that the function returned.
    pub fn returned_bytes<'m>(&self, core: u64, memory: &'m [u8]) -> Option<&'m [u8]> {
        self.result().filter(|of| is_bytes(of))?;
        // A list has two core values, so that the function returned a pointer to them in a 32-bit memory.
        let pair = memory.get(core as u32 as usize..)?;
        let number = |at: usize| {
            let bytes = pair.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_le_bytes(bytes) as usize)
        };
        memory.get(number(0)?..)?.get(..number(4)?)
    }
}

fn is_bytes(of: &Layout) -> bool {
    matches!(&of.kind, Kind::List(element) if matches!(element.kind, Kind::U8))
}

/// Returns the position of the bytes in the arguments of a function whose only parameter is a byte string. `head` is the
/// beginning of the arguments, at least [`MAX_BYTES_HEAD`] bytes, and `size` is their whole size. Returns `None` if they are
/// something else.
///
/// ```
/// let arguments = b"\x91\xc4\x05bytes";
/// assert_eq!(hype_wire::wit::position_of_bytes(arguments, arguments.len()), Some(3));
/// assert_eq!(hype_wire::wit::position_of_bytes(b"\x91\xa5bytes", 7), None);
/// ```
pub fn position_of_bytes(head: &[u8], size: usize) -> Option<usize> {
    let mut rest = head;
    let count = rmp::decode::read_array_len(&mut rest).ok()?;
    let length = rmp::decode::read_bin_len(&mut rest).ok()?;
    let position = head.len() - rest.len();
    (count == 1 && position.checked_add(length as usize)? == size).then_some(position)
}

/// Returns the MessagePack before the bytes of a byte string of this length.
pub fn head_of_bytes(length: u32) -> Vec<u8> {
    let mut head = Vec::with_capacity(MAX_BYTES_HEAD);
    // Writing to a Vec never fails.
    let _ = rmp::encode::write_bin_len(&mut head, length);
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value_type::WitType;

    fn signature(parameters: &[WitType], result: Option<&WitType>) -> Signature {
        let named = parameters.iter().map(|of| ("x".to_owned(), of.clone()));
        Signature::new(&named.collect::<Vec<_>>(), result).unwrap()
    }

    fn list(of: WitType) -> WitType {
        WitType::List(Box::new(of))
    }

    #[test]
    fn only_a_list_of_bytes_alone_is_plain() {
        let bytes = || list(WitType::U8);
        assert!(signature(&[bytes()], None).takes_only_bytes());
        for others in [&[][..], &[bytes(), bytes()], &[list(WitType::S8)], &[list(bytes())]] {
            assert!(!signature(others, None).takes_only_bytes());
        }
    }

    #[test]
    fn returned_bytes_are_within_the_memory() {
        let bytes = signature(&[], Some(&list(WitType::U8)));
        let memory =
            |at: u32, length: u32| [&[7; 4][..], &at.to_le_bytes(), &length.to_le_bytes()].concat();
        assert_eq!(bytes.returned_bytes(4, &memory(1, 3)), Some(&[7; 3][..]));
        for (at, length) in [(0, 13), (13, 0), (u32::MAX, 1), (1, u32::MAX)] {
            assert_eq!(bytes.returned_bytes(4, &memory(at, length)), None);
        }
        assert_eq!(bytes.returned_bytes(9, &memory(1, 3)), None);
        let numbers = signature(&[], Some(&list(WitType::U16)));
        assert_eq!(numbers.returned_bytes(4, &memory(0, 1)), None);
    }

    #[test]
    fn head_is_that_of_a_byte_string_which_fills_the_arguments() {
        for length in [0, 255, 256, 65_536] {
            let arguments = [&[0x91], &head_of_bytes(length)[..]].concat();
            let size = arguments.len() + length as usize;
            assert_eq!(position_of_bytes(&arguments, size), Some(arguments.len()));
            assert_eq!(position_of_bytes(&arguments, size + 1), None);
        }
        assert_eq!(position_of_bytes(b"\x92\xc4\x00\xc0", 4), None);
        assert_eq!(position_of_bytes(b"", 0), None);
    }
}
