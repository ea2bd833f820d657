//! Represents `Some(None)` as `{"$some": null}`, since `null` is `None`.
//!
//! The object has the single key `$some`, and its value is `null` or another such object. A map that looks like one
//! is escaped: its key gets another `$`.

use crate::json::Json;

/// The key of an object that represents a `Some`.
pub(crate) const KEY: &str = "$some";

/// Returns the content of the `Some` that an object with these members represents, if it represents one.
pub(super) fn content(members: &[(String, Json)]) -> Option<&Json> {
    match members {
        [(key, value)] if key == KEY && is_nothing(value) => Some(value),
        _ => None,
    }
}

/// Returns `key` without its escape, for an object with these members that represents no `Some`.
pub(super) fn unescaped<'a>(key: &'a str, members: &[(String, Json)]) -> &'a str {
    match (key.strip_prefix('$'), members) {
        (Some(rest), [(_, value)]) if is_escapable(rest) && is_nothing(value) => rest,
        _ => key,
    }
}

/// Returns whether a map with this single key needs an escape if its value is `None`, `()` or a `Some` of these.
pub(super) fn is_escapable(key: &str) -> bool {
    key.starts_with('$') && key.trim_start_matches('$') == &KEY[1..]
}

/// Returns whether the value represents `None`, `()`, or a `Some` of these.
fn is_nothing(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Object(members) => content(members).is_some(),
        _ => false,
    }
}
