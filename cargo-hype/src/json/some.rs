//! `{"$some": null}`: how JSON tells `Some(None)` from `None`.
//!
//! It is an object with the one key `$some`, and `null` or another such object as its value. A map that looks
//! like one has another `$` before its key in JSON.

use crate::json::Json;

/// The key of an object that stands for a `Some`.
pub(crate) const KEY: &str = "$some";

/// What the `Some` holds that an object with these members stands for, if it does.
pub(super) fn content(members: &[(String, Json)]) -> Option<&Json> {
    match members {
        [(key, value)] if key == KEY && is_nothing(value) => Some(value),
        _ => None,
    }
}

/// The key that `key` stands for in an object with these members, which is no `Some`.
pub(super) fn unescaped<'a>(key: &'a str, members: &[(String, Json)]) -> &'a str {
    match (key.strip_prefix('$'), members) {
        (Some(rest), [(_, value)]) if is_escapable(rest) && is_nothing(value) => rest,
        _ => key,
    }
}

/// Whether a map with this one key, and with nothing as its value, needs another `$` before the key.
pub(super) fn is_escapable(key: &str) -> bool {
    key.starts_with('$') && key.trim_start_matches('$') == &KEY[1..]
}

/// Whether it stands for `None`, `()`, or a `Some` of these.
fn is_nothing(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Object(members) => content(members).is_some(),
        _ => false,
    }
}
