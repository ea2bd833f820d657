//! Formats numbers.

use std::io::{self, Write};

use crate::json::tokens::Token;

/// Returns `NaN`, `inf` or `-inf` for a number that JSON doesn't have, else `None`.
pub(super) fn not_in_json(token: Token<'_>) -> Option<&'static str> {
    let number = match token {
        Token::F32(number) => f64::from(number),
        Token::F64(number) => number,
        _ => return None,
    };
    match number {
        f64::INFINITY => Some("inf"),
        f64::NEG_INFINITY => Some("-inf"),
        number if number.is_nan() => Some("NaN"),
        _ => None,
    }
}

/// Writes a number that JSON has.
pub(super) fn write_number(token: Token<'_>, out: &mut impl Write) -> io::Result<()> {
    match token {
        Token::Unsigned(number) => match u64::try_from(number) {
            Ok(number) => serde_json::to_writer(out, &number)?,
            Err(_) => serde_json::to_writer(out, &number)?,
        },
        Token::Signed(number) => match i64::try_from(number) {
            Ok(number) => serde_json::to_writer(out, &number)?,
            Err(_) => serde_json::to_writer(out, &number)?,
        },
        Token::F32(number) => serde_json::to_writer(out, &number)?,
        Token::F64(number) => serde_json::to_writer(out, &number)?,
        _ => {}
    }
    Ok(())
}

/// Returns the text of a number, whether JSON has it or not; `None` for other tokens.
pub(super) fn number_text(token: Token<'_>) -> Option<String> {
    let is_number =
        matches!(token, Token::Unsigned(_) | Token::Signed(_) | Token::F32(_) | Token::F64(_));
    if !is_number {
        return None;
    }
    if let Some(text) = not_in_json(token) {
        return Some(text.to_owned());
    }
    let mut text = Vec::new();
    write_number(token, &mut text).ok()?;
    String::from_utf8(text).ok()
}
