//! Functions that return their argument, with types that are common for large data.

use std::collections::BTreeMap;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// A picture with its bytes in a `Vec<u8>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// The title.
    pub name: String,
    /// The encoded file.
    pub png: Vec<u8>,
}

/// A tagged enum with bytes, which serde buffers when it deserializes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Message {
    /// A picture.
    Picture {
        /// The encoded file.
        png: Vec<u8>,
    },
}

/// Returns the argument.
#[hype::function]
pub fn echo_picture(picture: Picture) -> Picture {
    picture
}

/// Returns the argument.
#[hype::function]
pub fn echo_message(message: Message) -> Message {
    message
}

/// Returns the argument.
#[hype::function]
pub fn echo_blobs(blobs: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    blobs
}

/// Returns the argument.
#[hype::function]
pub fn echo_files(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    files
}

/// Returns the argument.
#[hype::function]
pub fn echo_floats(floats: Vec<f64>) -> Vec<f64> {
    floats
}

/// Returns the argument.
#[hype::function]
pub fn echo_numbers(numbers: Vec<u32>) -> Vec<u32> {
    numbers
}

/// Returns the argument.
#[hype::function]
pub fn echo_pairs(pairs: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
    pairs
}

/// Returns the argument.
#[hype::function]
pub fn echo_matrix(matrix: Array2<f64>) -> Array2<f64> {
    matrix
}

/// Returns the argument.
#[hype::function]
pub fn echo_text(text: String) -> String {
    text
}

/// Returns the argument.
#[hype::function]
pub fn echo_texts(texts: Vec<String>) -> Vec<String> {
    texts
}

/// A position on the earth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The degrees to the north.
    pub latitude: f64,
    /// The degrees to the east.
    pub longitude: f64,
}

/// A record with records, lists and options inside, like the `item` of `../typed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The number.
    pub id: u32,
    /// The name.
    pub name: String,
    /// Some words.
    pub tags: Vec<String>,
    /// The position.
    pub place: Place,
    /// A remark.
    pub note: Option<String>,
}

/// Returns the argument.
#[hype::function]
pub fn echo_items(items: Vec<Item>) -> Vec<Item> {
    items
}
