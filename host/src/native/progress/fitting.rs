//! Lines that fit a terminal.

use console::{measure_text_width, truncate_str};
use tracing::Level;

/// `text` in lines of at most so many columns: what warns is broken between words, and anything else is cut.
pub(super) fn fitted(text: &str, level: Level, columns: usize) -> String {
    let lines = text.lines().map(|line| match level <= Level::WARN {
        true => broken(line, columns),
        false => truncate_str(line, columns, "…").into_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `line` broken between words; those after the first line are indented by two columns more.
fn broken(line: &str, columns: usize) -> String {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let mut broken = " ".repeat(indent);
    let mut used = indent;
    for (index, word) in text.split(' ').enumerate() {
        let width = measure_text_width(word);
        if index > 0 && used + 1 + width > columns {
            broken.push('\n');
            broken.push_str(&" ".repeat(indent + 2));
            used = indent + 2;
        } else if index > 0 {
            broken.push(' ');
            used += 1;
        }
        broken.push_str(word);
        used += width;
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_of_progress_is_cut() {
        let line = "hype: hype-run-tizxijbai4 ended with a value after 33.7 ms: fetch 24.6 ms";
        assert_eq!(fitted(line, Level::INFO, 40), "hype: hype-run-tizxijbai4 ended with a …");
        assert_eq!(fitted(line, Level::INFO, 80), line);
        // A character may take two columns.
        assert_eq!(measure_text_width(&fitted("文字文字", Level::INFO, 6)), 5);
    }

    #[test]
    fn what_warns_is_all_there() {
        let line = "hype: the image cannot be pulled: not found\n  waiting for something longer";
        assert_eq!(
            fitted(line, Level::WARN, 24),
            "hype: the image cannot\n  be pulled: not found\n  waiting for something\n    longer"
        );
        assert_eq!(fitted(line, Level::WARN, 80), line);
    }
}
