//! Values in messages, as JSON.

use crate::shorten::shorten;
use crate::value::{Decoder, Head, Int, Wide};

/// The maximum length of a value in a message, in bytes.
const MAX_LENGTH: usize = 120;

/// The maximum depth of a value in a message. Deeper lists and maps are abbreviated.
const MAX_LEVELS: usize = 8;

/// Returns the MessagePack of a value as JSON for a message, at most 120 bytes of it.
///
/// ```
/// use hype_wire::{codec, wit};
///
/// assert_eq!(wit::render(&codec::to_vec(&("ten", [Some(1), None]))?), r#"["ten",[1,null]]"#);
/// # Ok::<(), hype_wire::WireError>(())
/// ```
pub fn render(value: &[u8]) -> String {
    let mut text = String::new();
    let mut decoder = Decoder::new(value);
    if append(&mut decoder, MAX_LEVELS, &mut text).is_none() && text.len() <= MAX_LENGTH {
        text.push('…');
    }
    shorten(text, MAX_LENGTH)
}

/// Returns `text` in quotes, shortened.
pub(super) fn quoted(text: &str) -> String {
    shorten(format!("{text:?}"), MAX_LENGTH)
}

/// Appends the next value. Returns `None` if it is malformed, too deep or too long.
fn append(decoder: &mut Decoder<'_>, levels: usize, text: &mut String) -> Option<()> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    match decoder.head().ok()? {
        Head::Nil => text.push_str("null"),
        Head::Bool(value) => text.push_str(&value.to_string()),
        Head::Int(Int::Unsigned(number)) => text.push_str(&number.to_string()),
        Head::Int(Int::Negative(number)) => text.push_str(&number.to_string()),
        Head::Wide(Wide::Unsigned(number)) => text.push_str(&number.to_string()),
        Head::Wide(Wide::Signed(number)) => text.push_str(&number.to_string()),
        Head::F32(number) => text.push_str(&format!("{number:?}")),
        Head::F64(number) => text.push_str(&format!("{number:?}")),
        Head::Text(value) => {
            let end = value.floor_char_boundary(MAX_LENGTH + 1);
            text.push_str(&format!("{:?}", &value[..end]));
        }
        Head::Bytes(bytes) => text.push_str(&format!("{} bytes", bytes.len())),
        Head::List(length) => {
            items(decoder, levels, text, ['[', ']'], length, |decoder, levels, text| {
                append(decoder, levels, text)
            })?;
        }
        Head::Map(length) => {
            items(decoder, levels, text, ['{', '}'], length, |decoder, levels, text| {
                append(decoder, levels, text)?;
                text.push(':');
                append(decoder, levels, text)
            })?;
        }
        Head::Some => {
            text.push_str("{\"$some\":");
            append(decoder, levels.checked_sub(1)?, text)?;
            text.push('}');
        }
    }
    Some(())
}

fn items<'de>(
    decoder: &mut Decoder<'de>,
    levels: usize,
    text: &mut String,
    [open, close]: [char; 2],
    length: usize,
    mut append: impl FnMut(&mut Decoder<'de>, usize, &mut String) -> Option<()>,
) -> Option<()> {
    let levels = levels.checked_sub(1)?;
    text.push(open);
    for index in 0..length {
        if index > 0 {
            text.push(',');
        }
        append(decoder, levels, text)?;
    }
    text.push(close);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn long_value_is_shortened() {
        let text = render(&codec::to_vec(&"x".repeat(1000)).unwrap());
        assert!(text.len() <= MAX_LENGTH && text.contains("bytes more"), "{text}");
        let list = render(&codec::to_vec(&vec![1_000_000; 1000]).unwrap());
        assert!(list.len() <= MAX_LENGTH && list.starts_with("[1000000,"), "{list}");
    }

    #[test]
    fn malformed_value_ends_with_an_ellipsis() {
        assert_eq!(render(&[0x92, 1]), "[1,…");
        assert_eq!(render(&[0xc1]), "…");
        assert_eq!(render(&[0x91; 50]), "[[[[[[[[…");
    }
}
