//! Texts in a guest's memory.

use std::borrow::Cow;

use crate::wit::memory::TextEncoding;

/// The bit in the length of a text of [`TextEncoding::Latin1OrUtf16`] that marks UTF-16.
const UTF16_TAG: u32 = 1 << 31;

/// A text in a guest's memory, which may be invalid.
#[derive(Debug, PartialEq)]
pub(super) enum StoredText<'m> {
    Utf8(&'m [u8]),
    Utf16(&'m [[u8; 2]]),
    Latin1(&'m [u8]),
}

impl<'m> StoredText<'m> {
    /// Returns the text at the address `at`, unless it is beyond the memory or not aligned.
    pub(super) fn at(
        memory: &'m [u8],
        encoding: TextEncoding,
        at: u32,
        length: u32,
    ) -> Option<Self> {
        let rest = memory.get(at as usize..)?;
        let bytes = || rest.get(..length as usize);
        let wide = |units: u32| {
            let (units, _) = rest.get(..(units as usize).checked_mul(2)?)?.as_chunks();
            Some(Self::Utf16(units))
        };
        if encoding == TextEncoding::Utf8 {
            return bytes().map(Self::Utf8);
        }
        if !at.is_multiple_of(2) {
            return None;
        }
        match encoding {
            TextEncoding::Latin1OrUtf16 if length & UTF16_TAG == 0 => bytes().map(Self::Latin1),
            TextEncoding::Latin1OrUtf16 => wide(length ^ UTF16_TAG),
            TextEncoding::Utf8 | TextEncoding::Utf16 => wide(length),
        }
    }

    /// Returns a lower bound of the text's size in UTF-8, in bytes.
    pub(super) fn min_size(&self) -> usize {
        match self {
            Self::Utf8(bytes) | Self::Latin1(bytes) => bytes.len(),
            Self::Utf16(units) => units.len(),
        }
    }

    /// Returns the text, or `None` if it isn't valid.
    pub(super) fn decode(self) -> Option<Cow<'m, str>> {
        match self {
            Self::Utf8(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Latin1(bytes) => {
                Some(Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()))
            }
            Self::Utf16(units) => {
                let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
                let text: Result<String, _> = char::decode_utf16(units).collect();
                text.ok().map(Cow::Owned)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(memory: &[u8], encoding: TextEncoding, at: u32, length: u32) -> Option<String> {
        StoredText::at(memory, encoding, at, length)?.decode().map(Cow::into_owned)
    }

    #[test]
    fn texts_of_every_encoding_are_decoded() {
        let (utf8, utf16, latin1) = ("xxä€", [0x20ac_u16, 0xd83d, 0xde00], [b'x', b'x', 0xe4]);
        let utf16: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let tagged = 3 | UTF16_TAG;
        for (memory, encoding, at, length, text) in [
            (utf8.as_bytes(), TextEncoding::Utf8, 2, 5, Some("ä€")),
            (utf8.as_bytes(), TextEncoding::Utf8, 2, 4, None),
            (utf8.as_bytes(), TextEncoding::Utf8, 2, 6, None),
            (&utf16, TextEncoding::Utf16, 0, 3, Some("€😀")),
            (&utf16, TextEncoding::Utf16, 0, 2, None),
            (&utf16, TextEncoding::Utf16, 0, 4, None),
            (&utf16, TextEncoding::Utf16, 1, 1, None),
            (&utf16, TextEncoding::Utf16, 0, u32::MAX, None),
            (&latin1, TextEncoding::Latin1OrUtf16, 2, 1, Some("ä")),
            (&latin1, TextEncoding::Latin1OrUtf16, 1, 1, None),
            (&utf16, TextEncoding::Latin1OrUtf16, 0, tagged, Some("€😀")),
        ] {
            let found = decoded(memory, encoding, at, length);
            assert_eq!(found.as_deref(), text, "{encoding:?} {at} {length}");
        }
    }
}
