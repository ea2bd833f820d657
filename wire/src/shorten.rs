//! Texts of somebody else, of which a person needs to read only so much.

/// `text` itself if it has at most `bytes` bytes, else its beginning and how much was left out, in
/// `bytes` bytes together.
pub(crate) fn shortened(mut text: String, bytes: usize) -> String {
    if text.len() <= bytes {
        return text;
    }
    let note = |left_out: usize| format!("… ({left_out} bytes more)");
    // The note is the longest where everything is left out.
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
    fn short_texts_stay() {
        assert_eq!(shortened("ab".into(), 2), "ab");
        assert_eq!(shortened(String::new(), 0), "");
    }

    #[test]
    fn long_ones_say_how_much_is_left_out() {
        assert_eq!(shortened("a".repeat(50), 40), format!("{}… (29 bytes more)", "a".repeat(21)));
    }

    #[test]
    fn characters_stay_whole_and_nothing_is_longer_than_allowed() {
        let text = "ü€a".repeat(20);
        for bytes in 20..text.len() {
            let short = shortened(text.clone(), bytes);
            assert!(short.len() <= bytes, "{bytes}: {short}");
            let (kept, note) = short.split_once('…').unwrap();
            assert!(text.starts_with(kept) && note.ends_with("bytes more)"), "{bytes}: {short}");
        }
    }
}
