//! Closures whose arguments are values of other closures.

use std::time::Duration;

/// Returns a number as text.
#[hype::function]
pub fn show(number: u64) -> String {
    format!("{number};")
}

/// Joins two texts. The order matters.
#[hype::function]
pub fn join(one: String, other: String) -> String {
    one + &other
}

/// Joins two texts in parentheses, so that the value shows which texts were joined.
#[hype::function]
pub fn pair(one: String, other: String) -> String {
    format!("({one}{other})")
}

/// Joins two texts, and fails if the result has a length that is a multiple of 12.
#[hype::function]
pub fn join_short(one: String, other: String) -> Result<String, String> {
    let joined = one + &other;
    if joined.len().is_multiple_of(12) { Err(format!("{joined} is bad")) } else { Ok(joined) }
}

/// Returns `size` bytes, the first of which is `first`.
#[hype::function]
pub fn fill_bytes(first: u8, size: u32) -> hype::Bytes {
    let mut bytes = vec![7; size as usize];
    bytes[0] = first;
    hype::Bytes(bytes)
}

/// Appends two byte strings.
#[hype::function]
pub fn append(one: hype::Bytes, other: hype::Bytes) -> hype::Bytes {
    hype::Bytes([one.0, other.0].concat())
}

/// Returns the first byte, the length and a name.
#[hype::function]
pub fn measure(bytes: hype::Bytes, name: String) -> (u8, u64, String) {
    (bytes.0[0], bytes.0.len() as u64, name)
}

/// Returns a random number, and those before it.
#[hype::function]
pub fn add_random(one: Vec<u64>, other: Vec<u64>) -> Vec<u64> {
    [one, other, random()].concat()
}

/// Returns a random number.
#[hype::function]
pub fn draw() -> Vec<u64> {
    random()
}

/// Returns its argument after a time.
#[hype::function]
pub fn wait_and_return(text: String, seconds: u64) -> String {
    std::thread::sleep(Duration::from_secs(seconds));
    text
}

fn random() -> Vec<u64> {
    use std::hash::{BuildHasher, RandomState};
    vec![RandomState::new().hash_one(0)]
}
