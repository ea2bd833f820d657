//! Text of unknown origin as a terminal may receive it.

use std::borrow::Cow;

/// Returns `text` without characters that a terminal acts on or that make text read as another: each becomes U+FFFD.
///
/// These are the control characters (C0, DEL and C1) except newline and tab; the bidirectional controls; the invisible
/// characters of no width, except U+200C and U+200D, which words of several scripts need; and the line and paragraph
/// separators.
///
/// ```
/// use hype_wire::printable;
///
/// assert_eq!(printable("a\tb\nc"), "a\tb\nc");
/// assert_eq!(printable("\u{1b}]0;title\u{7}\u{202e}txt.exe"), "\u{fffd}]0;title\u{fffd}\u{fffd}txt.exe");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    match text.contains(is_unprintable) {
        true => Cow::Owned(text.replace(is_unprintable, "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

/// Returns whether [`printable`] replaces this character.
pub fn is_unprintable(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // Arabic letter mark; Mongolian vowel separator; zero-width space; left-to-right and right-to-left marks.
        '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' => true,
        // Separators of lines and paragraphs; embeddings and overrides.
        '\u{2028}'..='\u{202e}' => true,
        // Word joiner, invisible operators, isolates, deprecated format characters.
        '\u{2060}'..='\u{206f}' => true,
        // Byte order mark; interlinear annotations; tags.
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        character => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_is_borrowed() {
        for text in ["", "plain\n\ttext", "ناخن\u{200c}ها", "👩\u{200d}🔬", "é ü 文字"]
        {
            assert!(matches!(printable(text), Cow::Borrowed(_)), "{text:?}");
        }
    }

    #[test]
    fn terminal_controls_are_replaced() {
        for text in [
            "\u{1b}[2J",
            "\u{1b}]52;c;cGF5bG9hZA==\u{7}",
            "progress\rforged",
            "back\u{8}space",
            "\u{7f}",
            "\u{9b}31m",
            "\u{90}q\u{9c}",
            "\u{202e}gpj.exe",
            "\u{2066}\u{2069}",
            "in\u{200b}visible",
            "\u{feff}",
            "line\u{2028}separator",
            "\u{2063}",
            "\0",
        ] {
            let printable = printable(text);
            assert!(!printable.contains(is_unprintable), "{text:?}");
            assert_eq!(printable.chars().count(), text.chars().count());
        }
    }
}
