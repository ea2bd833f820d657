//! Parses the text of an argument as JSON.
//!
//! serde_json validates the text. It doesn't support integers beyond 64 bits and doesn't report duplicate keys, so
//! this module parses the valid text.

use std::collections::HashSet;

use serde::de::IgnoredAny;

use crate::json::Json;

/// The maximum nesting depth of a text: a printed value needs two levels for a map, and one for each `Some`.
const MAX_DEPTH: usize = 600;

/// The maximum length of a number in a message, in characters.
const MAX_QUOTED: usize = 40;

/// The error of an invalid text. The message is the end of a sentence about the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// `isn't JSON: trailing comma at column 9`.
    Syntax(String),
    /// `has the key `a` twice, the second time at column 9`.
    Content(String),
}

/// Parses a document.
///
/// # Errors
///
/// If the text isn't JSON, an object has a duplicate key, or a number exceeds 128 bits or the range of `f64`.
pub(crate) fn read(text: &str) -> Result<Json, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::Syntax("isn't JSON: it is empty".to_owned()));
    }
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(IgnoredAny) => Parser { text, at: 0 }.value(0).map_err(Problem::Content),
        Err(error) => Err(Problem::Syntax(format!("isn't JSON: {}", syntax_error(text, error)))),
    }
}

/// Returns the problem of a text that isn't JSON, and its position.
fn syntax_error(text: &str, mut error: serde_json::Error) -> String {
    // For the same position, parsing to a `Value` yields a more precise message than ignoring it.
    if let Err(precise) = serde_json::from_str::<serde_json::Value>(text)
        && (precise.line(), precise.column()) == (error.line(), error.column())
    {
        error = precise;
    }
    let full = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    let (problem, column) = match full.strip_suffix(&suffix).unwrap_or(&full) {
        // A word that begins like `true`, `false` or `null`.
        "expected ident" => ("expected value", word_start(text, error.line(), error.column())),
        problem => (problem, error.column()),
    };
    format!("{problem} at {}", position(text, error.line(), column))
}

/// Returns the column of the start of the word at the byte `column` of a line. Columns are 1-based.
fn word_start(text: &str, line: usize, column: usize) -> usize {
    let bytes = text.split('\n').nth(line.saturating_sub(1)).unwrap_or_default().as_bytes();
    let before = bytes.get(..column.saturating_sub(1)).unwrap_or(bytes);
    let in_word = before.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    before.len() - in_word + 1
}

/// A parser of a text that is known to be JSON.
struct Parser<'a> {
    text: &'a str,
    /// The number of bytes read.
    at: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth >= MAX_DEPTH {
            return Err(format!(
                "nests deeper than {MAX_DEPTH} levels at {}",
                self.position(self.at)
            ));
        }
        match self.next() {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Json::Text),
            b't' | b'f' | b'n' => Ok(match self.take_while(|byte| byte.is_ascii_alphabetic()) {
                "true" => Json::Bool(true),
                "false" => Json::Bool(false),
                _ => Json::Null,
            }),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        let mut members = Vec::new();
        let mut keys = HashSet::new();
        self.at += 1;
        while self.next() == b'"' {
            let start = self.at;
            let key = self.string()?;
            if !keys.insert(key.clone()) {
                let position = self.position(start);
                return Err(format!("has the key `{key}` twice, the second time at {position}"));
            }
            self.skip(b':');
            members.push((key, self.value(depth + 1)?));
            self.skip(b',');
        }
        self.skip(b'}');
        Ok(Json::Object(members))
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        let mut items = Vec::new();
        self.at += 1;
        while !matches!(self.next(), b']' | 0) {
            items.push(self.value(depth + 1)?);
            self.skip(b',');
        }
        self.skip(b']');
        Ok(Json::List(items))
    }

    fn string(&mut self) -> Result<String, String> {
        let start = self.at;
        let mut escaped = false;
        let inner = self.text.as_bytes().iter().skip(start + 1);
        let length = inner.take_while(|byte| {
            let ends = !escaped && **byte == b'"';
            escaped = !escaped && **byte == b'\\';
            !ends
        });
        self.at = start + length.count() + 2;
        serde_json::from_str(self.text.get(start..self.at).unwrap_or_default()).map_err(|_| {
            format!(
                "isn't JSON: half of a Unicode character in the string at {}",
                self.position(start)
            )
        })
    }

    fn number(&mut self) -> Result<Json, String> {
        let start = self.at;
        let digits =
            self.take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'0'..=b'9' | b'e' | b'E'));
        let reject = |problem: &str| {
            let mut quoted: String = digits.chars().take(MAX_QUOTED).collect();
            if quoted.len() < digits.len() {
                quoted.push('…');
            }
            Err(format!("has a number {problem}: `{quoted}` at {}", self.position(start)))
        };
        if digits == "-0" {
            return Ok(Json::Float(-0.0));
        }
        if digits.contains(['.', 'e', 'E']) {
            return match digits.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Json::Float(number)),
                _ => reject("that is too large for 64-bit floats"),
            };
        }
        let parsed = match digits.starts_with('-') {
            true => digits.parse().map(Json::Negative),
            false => digits.parse().map(Json::Unsigned),
        };
        parsed.or_else(|_| reject("of more than 128 bits"))
    }

    /// Skips whitespace and returns the next byte without consuming it, or 0 at the end.
    fn next(&mut self) -> u8 {
        self.take_while(|byte| byte.is_ascii_whitespace());
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    fn skip(&mut self, byte: u8) {
        if self.next() == byte {
            self.at += 1;
        }
    }

    fn take_while(&mut self, is_part: impl Fn(&u8) -> bool) -> &'a str {
        let start = self.at;
        self.at += self.text.as_bytes().iter().skip(start).take_while(|byte| is_part(byte)).count();
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn position(&self, at: usize) -> String {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        position(self.text, line, column)
    }
}

/// Describes the position of the byte `column` of a line, with the column in characters. All are 1-based.
fn position(text: &str, line: usize, column: usize) -> String {
    let bytes = text.split('\n').nth(line.saturating_sub(1)).unwrap_or_default().char_indices();
    let column = 1 + bytes.take_while(|(at, _)| at + 1 < column).count();
    match line {
        0 | 1 => format!("column {column}"),
        _ => format!("line {line}, column {column}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let (Problem::Syntax(problem) | Problem::Content(problem)) = read(text).unwrap_err();
        problem
    }

    #[test]
    fn every_json_type_is_parsed() {
        let text = r#" {"a" : [1, -2, 3.5, 1e3, true, false, null, "x\"\\\u00e4😀", [], {}], "b":{"c":0}} "#;
        let list = vec![
            Json::Unsigned(1),
            Json::Negative(-2),
            Json::Float(3.5),
            Json::Float(1000.0),
            Json::Bool(true),
            Json::Bool(false),
            Json::Null,
            Json::Text("x\"\\ä😀".into()),
            Json::List(vec![]),
            Json::Object(vec![]),
        ];
        let inner = Json::Object(vec![("c".into(), Json::Unsigned(0))]);
        let expected = Json::Object(vec![("a".into(), Json::List(list)), ("b".into(), inner)]);
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn integers_are_exact_up_to_128_bits() {
        for number in [0, u128::from(u64::MAX), u128::from(u64::MAX) + 1, u128::MAX] {
            assert_eq!(read(&number.to_string()), Ok(Json::Unsigned(number)));
        }
        for number in [-1, i128::from(i64::MIN), i128::from(i64::MIN) - 1, i128::MIN] {
            assert_eq!(read(&number.to_string()), Ok(Json::Negative(number)));
        }
        assert_eq!(
            problem("[340282366920938463463374607431768211456]"),
            "has a number of more than 128 bits: `340282366920938463463374607431768211456` at column 2"
        );
        assert!(problem(&"9".repeat(99)).contains("9…` at column 1"));
        assert!(problem("-170141183460469231731687303715884105729").contains("128 bits"));
    }

    #[test]
    fn floats_are_exact_or_rejected() {
        for number in [0.1, 1e22, 1e23, f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0] {
            assert_eq!(read(&format!("{number:e}")), Ok(Json::Float(number)));
        }
        let Ok(Json::Float(zero)) = read("-0") else { panic!("no float") };
        assert!(zero.is_sign_negative());
        assert_eq!(
            problem("{\"a\": -1e400}"),
            "has a number that is too large for 64-bit floats: `-1e400` at column 7"
        );
    }

    #[test]
    fn syntax_errors_have_a_column() {
        assert_eq!(problem(r#"{"a": 1,}"#), "isn't JSON: trailing comma at column 9");
        assert_eq!(problem(r#"{"ä": 1,}"#), "isn't JSON: trailing comma at column 9");
        assert_eq!(problem("[1,\n 2"), "isn't JSON: EOF while parsing a list at line 2, column 2");
        assert_eq!(problem("hello"), "isn't JSON: expected value at column 1");
        assert_eq!(problem("two"), "isn't JSON: expected value at column 1");
        assert_eq!(problem("[1, nil]"), "isn't JSON: expected value at column 5");
        assert_eq!(problem("1 2"), "isn't JSON: trailing characters at column 3");
        assert_eq!(problem(" "), "isn't JSON: it is empty");
        assert_eq!(
            problem(r#"["ä", "\ud800"]"#),
            "isn't JSON: half of a Unicode character in the string at column 7"
        );
    }

    #[test]
    fn duplicate_key_is_rejected() {
        assert_eq!(
            problem(r#"[{"ä": 1, "b": {"ä": 2}, "\u00e4": 3}]"#),
            "has the key `ä` twice, the second time at column 26"
        );
    }

    #[test]
    fn nesting_depth_is_limited() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(problem(&nested(MAX_DEPTH + 1)), "nests deeper than 600 levels at column 601");
        assert!(problem(&nested(1_000_000)).starts_with("nests deeper"));
    }
}
