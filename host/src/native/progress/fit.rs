//! Fitting of lines to the width of a terminal.

use console::{measure_text_width, truncate_str};
use tracing::Level;

/// Returns `text` in lines of at most `columns` columns: warnings and errors are wrapped between words, and other
/// messages are cut.
pub(super) fn fit(text: &str, level: Level, columns: usize) -> String {
    let lines = text.lines().map(|line| match level <= Level::WARN {
        true => wrap(line, columns),
        false => truncate_str(line, columns, "…").into_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Wraps `line` between words. Continuation lines are indented by two more columns.
fn wrap(line: &str, columns: usize) -> String {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let mut wrapped = " ".repeat(indent);
    let mut used = indent;
    for (index, word) in text.split(' ').enumerate() {
        let width = measure_text_width(word);
        if index > 0 && used + 1 + width > columns {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent + 2));
            used = indent + 2;
        } else if index > 0 {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += width;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_messages_are_cut() {
        let line = "hype: hype-run-tizxijbai4 ended with a value after 33.7 ms: fetch 24.6 ms";
        assert_eq!(fit(line, Level::INFO, 40), "hype: hype-run-tizxijbai4 ended with a …");
        assert_eq!(fit(line, Level::INFO, 80), line);
        // A character may take two columns.
        assert_eq!(measure_text_width(&fit("文字文字", Level::INFO, 6)), 5);
    }

    #[test]
    fn warnings_are_wrapped() {
        let line = "hype: the image cannot be pulled: not found\n  waiting for something longer";
        assert_eq!(
            fit(line, Level::WARN, 24),
            "hype: the image cannot\n  be pulled: not found\n  waiting for something\n    longer"
        );
        assert_eq!(fit(line, Level::WARN, 80), line);
    }
}
