//! Truncation of untrusted texts in messages.

/// Truncates `text` to `bytes` bytes, which include a note on how much was left out.
pub(crate) fn shorten(mut text: String, bytes: usize) -> String {
    if text.len() <= bytes {
        return text;
    }
    let note = |left_out: usize| format!("… ({left_out} bytes more)");
    // The note is longest if everything is left out.
    let room = bytes.saturating_sub(note(text.len()).len());
    let end = text.floor_char_boundary(room);
    let note = note(text.len() - end);
    text.truncate(end);
    text.push_str(&note);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_unchanged() {
        assert_eq!(shorten("ab".into(), 2), "ab");
        assert_eq!(shorten(String::new(), 0), "");
    }

    #[test]
    fn truncated_text_ends_with_the_omitted_size() {
        assert_eq!(shorten("a".repeat(50), 40), format!("{}… (29 bytes more)", "a".repeat(21)));
    }

    #[test]
    fn truncation_keeps_characters_whole() {
        let text = "ü€a".repeat(20);
        for bytes in 20..text.len() {
            let short = shorten(text.clone(), bytes);
            assert!(short.len() <= bytes, "{bytes}: {short}");
            let (kept, note) = short.split_once('…').unwrap();
            assert!(text.starts_with(kept) && note.ends_with("bytes more)"), "{bytes}: {short}");
        }
    }
}
