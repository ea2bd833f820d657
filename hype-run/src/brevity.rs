//! What a guest says of a panic, cut while it is taken over: it may say anything at any length, and
//! an outcome keeps no more.

/// How long a message may be, in bytes.
const TEXT: usize = 16 << 10;

/// How long the name of a file may be, in bytes.
const NAME: usize = 1 << 10;

/// A message's beginning.
pub(crate) fn text(text: &str) -> String {
    beginning(text, TEXT)
}

/// A name's beginning.
pub(crate) fn name(name: &str) -> String {
    beginning(name, NAME)
}

fn beginning(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(limit)];
    format!("{kept}… and {} bytes more", text.len() - kept.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_stays() {
        assert_eq!(text("no bread"), "no bread");
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let cut = text(&format!("a{}", "é".repeat(1 << 20)));
        assert!(cut.starts_with("aéé") && cut.ends_with("é… and 2080770 bytes more"));
    }
}
