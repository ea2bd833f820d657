//! A crate that others depend on, with closures of its own.

/// The same text twice.
#[hype::function]
pub fn twice(text: String) -> String {
    text.repeat(2)
}

/// A function of another crate has the same name.
#[hype::function]
pub fn name_of_crate() -> String {
    "library".to_owned()
}
