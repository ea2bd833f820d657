//! A library that another package depends on, with closures of its own.

/// Returns the text twice.
#[hype::function]
pub fn twice(text: String) -> String {
    text.repeat(2)
}

/// Joins two texts.
#[hype::function]
pub fn concatenate(one: String, other: String) -> String {
    one + &other
}

/// Has the same name as a function of another crate.
#[hype::function]
pub fn name_of_crate() -> String {
    "library".to_owned()
}
