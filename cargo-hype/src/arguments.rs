//! Parses the arguments of a call from the command line.

use hype::component::{NotJson, TextArgument};

use crate::error::{Error, Result};
use crate::json::{self, Json};

/// Parses arguments for a function with known parameter types, which decide how each text is read.
pub(crate) fn typed(texts: &[String]) -> Vec<TextArgument<Json>> {
    texts.iter().map(|text| argument(text)).collect()
}

/// Parses arguments for a function with unknown parameter types: a text that doesn't look like JSON is a string.
///
/// # Errors
///
/// If a text looks like JSON and isn't valid JSON.
pub(crate) fn untyped(texts: &[String], function: &str) -> Result<Vec<Json>> {
    let values = (1..).zip(texts).map(|(number, text)| match argument(text) {
        TextArgument { value: Ok(value), .. } => Ok(value),
        TextArgument { text, value: Err(NotJson { is_word: true, .. }) } => Ok(Json::Text(text)),
        TextArgument { value: Err(NotJson { problem, .. }), .. } => {
            let text = format!("argument {number} of `{function}` {problem}");
            Err(Error::input(text).hint("put a string that looks like JSON into quotes"))
        }
    });
    values.collect()
}

fn argument(text: &str) -> TextArgument<Json> {
    let value = json::read(text).map_err(|problem| match problem {
        json::Problem::Syntax(problem) => NotJson { problem, is_word: is_word(text) },
        json::Problem::Content(problem) => NotJson { problem, is_word: false },
    });
    TextArgument { text: text.to_owned(), value }
}

/// Returns whether the text doesn't look like JSON.
fn is_word(text: &str) -> bool {
    !text.trim_start().starts_with(['{', '[', '"'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untyped_one(text: &str) -> std::result::Result<Json, String> {
        let values = untyped(&[text.to_owned()], "f");
        values.map(|mut values| values.remove(0)).map_err(|error| error.to_string())
    }

    #[test]
    fn untyped_words_are_strings() {
        assert_eq!(untyped_one("3"), Ok(Json::Unsigned(3)));
        assert_eq!(untyped_one("\"3\""), Ok(Json::Text("3".into())));
        assert_eq!(untyped_one("hello world"), Ok(Json::Text("hello world".into())));
        assert_eq!(untyped_one(""), Ok(Json::Text(String::new())));
    }

    #[test]
    fn untyped_text_like_json_must_be_valid() {
        let problem = "argument 1 of `f` isn't JSON: trailing comma at column 9";
        assert_eq!(untyped_one("{\"a\": 1,}"), Err(problem.into()));
        assert!(untyped_one("1e999").unwrap_err().contains("too large for 64-bit floats"));
    }
}
