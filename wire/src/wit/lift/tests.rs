//! Tests of what the host charges for a value.

use std::cell::Cell;

use crate::value_type::WitType;
use crate::wit::lift::{LiftError, Returned};
use crate::wit::memory::{ReturnedMemory, TextEncoding};
use crate::wit::signature::Signature;

/// A memory that counts what is charged, up to a limit.
struct Charged<'m> {
    bytes: &'m [u8],
    encoding: TextEncoding,
    left: &'m Cell<usize>,
    /// The bytes that were reserved exactly.
    reserved: &'m Cell<usize>,
}

impl<'m> ReturnedMemory<'m> for Charged<'m> {
    type Error = &'static str;

    fn bytes(&self) -> &'m [u8] {
        self.bytes
    }

    fn charge(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.left.set(self.left.get().checked_sub(bytes).ok_or("too large")?);
        Ok(())
    }

    fn encoding(&self) -> TextEncoding {
        self.encoding
    }

    fn reserve_exact(&self, out: &mut Vec<u8>, additional: usize) {
        self.reserved.set(self.reserved.get() + additional);
        out.reserve_exact(additional);
    }
}

/// Reads the value at the address 0, of which `limit` bytes are allowed. Returns what is left of them.
fn lift(
    of: WitType,
    bytes: &[u8],
    encoding: TextEncoding,
    limit: usize,
) -> Result<(Vec<u8>, usize), LiftError<&'static str>> {
    let (left, reserved) = (Cell::new(limit), Cell::new(0));
    let memory = Charged { bytes, encoding, left: &left, reserved: &reserved };
    match Signature::new(&[], Some(&of)).unwrap().lift(0, memory)? {
        Returned::Value(value) => Ok((value, left.get())),
        Returned::Error(_) => panic!("the value is no result"),
    }
}

fn list(of: WitType) -> WitType {
    WitType::List(Box::new(of))
}

/// The addresses and lengths of lists and strings.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn value_is_charged_exactly_once() {
    // A list of three lists, which are the memory's first 64 bytes.
    let three = [&words(&[8, 3, 0, 60, 0, 60, 0, 60])[..], &[7; 64]].concat();
    for of in [WitType::U8, WitType::S8, WitType::Bool] {
        let of = list(list(of));
        let (value, left) = lift(of.clone(), &three, TextEncoding::Utf8, 1000).unwrap();
        assert_eq!(value.len(), 1000 - left, "{of}");
        let size = value.len();
        assert_eq!(lift(of.clone(), &three, TextEncoding::Utf8, size).unwrap(), (value, 0));
        let error = lift(of, &three, TextEncoding::Utf8, size - 1).unwrap_err();
        assert!(matches!(error, LiftError::Memory("too large")), "{error:?}");
    }
}

#[test]
fn text_beyond_the_limit_is_too_large_in_every_encoding() {
    let text = [&words(&[8, 4])[..], b"abcdefgh"].concat();
    for encoding in [TextEncoding::Utf8, TextEncoding::Utf16, TextEncoding::Latin1OrUtf16] {
        let (value, left) = lift(WitType::String, &text, encoding, 100).unwrap();
        assert_eq!(value.len(), 100 - left, "{encoding:?}");
        let error = lift(WitType::String, &text, encoding, value.len() - 1).unwrap_err();
        assert!(matches!(error, LiftError::Memory("too large")), "{encoding:?}: {error:?}");
    }
}

#[test]
fn large_bytes_are_read_into_a_buffer_of_their_size() {
    let size = 1_000_000_u32;
    let memory = [words(&[8, size]), vec![7; size as usize]].concat();
    let bytes = list(WitType::U8);
    let (value, _) = lift(bytes.clone(), &memory, TextEncoding::Utf8, 2_000_000).unwrap();
    assert_eq!((value.len(), value.capacity()), (1_000_005, 1_000_005));
    // In a record, the name of the field comes first.
    let record = WitType::Record(vec![("content".into(), bytes)]);
    let (value, _) = lift(record, &memory, TextEncoding::Utf8, 2_000_000).unwrap();
    assert_eq!((value.len(), value.capacity()), (1_000_014, 1_000_014));
}

/// Bytes that only the head of a record precedes go into a buffer that the host reserves, those after larger ones don't.
#[test]
fn host_reserves_the_buffer_of_large_bytes() {
    let size = 100_000_u32;
    let memory = [&words(&[16, size, 16, 1])[..], &vec![7; size as usize]].concat();
    let (left, reserved) = (Cell::new(usize::MAX), Cell::new(0));
    let encoding = TextEncoding::Utf8;
    let memory = Charged { bytes: &memory, encoding, left: &left, reserved: &reserved };
    let field = |name: &str| (name.to_owned(), list(WitType::U8));
    let record = WitType::Record(vec![field("large"), field("small")]);
    Signature::new(&[], Some(&record)).unwrap().lift(0, memory).unwrap();
    assert_eq!(reserved.get(), size as usize + 5);
}
