//! Truncates texts that a guest controls to the size that an outcome may carry.

/// The maximum length of a message, in bytes.
const MAX_MESSAGE: usize = 16 << 10;

/// The maximum length of a file name or a URL, in bytes.
const MAX_NAME: usize = 1 << 10;

/// Returns the beginning of a message.
pub(crate) fn message(text: &str) -> String {
    truncated(text, MAX_MESSAGE)
}

/// Returns the beginning of a file name or a URL.
pub(crate) fn name(name: &str) -> String {
    truncated(name, MAX_NAME)
}

fn truncated(text: &str, limit: usize) -> String {
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
    fn short_message_is_kept() {
        assert_eq!(message("no bread"), "no bread");
    }

    #[test]
    fn long_message_is_cut_between_characters() {
        let cut = message(&format!("a{}", "é".repeat(1 << 20)));
        assert!(cut.starts_with("aéé") && cut.ends_with("é… and 2080770 bytes more"));
    }
}
