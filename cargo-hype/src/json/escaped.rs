//! JSON without characters that a terminal acts on.

use std::borrow::Cow;
use std::fmt::Write;

use hype::__internal::is_unprintable;

/// Returns the JSON text with these characters as escapes. They occur only inside of strings, where an escape means the
/// same.
pub(crate) fn escaped(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unprintable) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unprintable(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_json_is_the_same_value_without_terminal_controls() {
        let text = "\u{9b}31m\u{7f}\u{202e}txt\u{200b}\u{e0041}\u{1b}[2Jé👩\u{200d}🔬\u{2028}";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let escaped = escaped(&json);
        assert!(!escaped.contains(is_unprintable), "{escaped:?}");
        assert!(escaped.contains("é👩\u{200d}🔬"), "{escaped:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&escaped).unwrap(), [text]);
    }
}
