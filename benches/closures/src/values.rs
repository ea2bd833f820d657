//! Functions that give back what they take, in types that people use for much data.

use std::collections::BTreeMap;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// A picture, as one writes it without a thought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// The title.
    pub name: String,
    /// The encoded file.
    pub png: Vec<u8>,
}

/// A message with bytes in it, which serde keeps in a buffer of its own before it reads them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Message {
    /// A picture.
    Picture {
        /// The encoded file.
        png: Vec<u8>,
    },
}

/// Gives it back.
#[hype::function]
pub fn echo_picture(picture: Picture) -> Picture {
    picture
}

/// Gives it back.
#[hype::function]
pub fn echo_message(message: Message) -> Message {
    message
}

/// Gives them back.
#[hype::function]
pub fn echo_blobs(blobs: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    blobs
}

/// Gives them back.
#[hype::function]
pub fn echo_files(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    files
}

/// Gives them back.
#[hype::function]
pub fn echo_floats(floats: Vec<f64>) -> Vec<f64> {
    floats
}

/// Gives them back.
#[hype::function]
pub fn echo_numbers(numbers: Vec<u32>) -> Vec<u32> {
    numbers
}

/// Gives them back.
#[hype::function]
pub fn echo_pairs(pairs: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
    pairs
}

/// Gives it back.
#[hype::function]
pub fn echo_matrix(matrix: Array2<f64>) -> Array2<f64> {
    matrix
}

/// Gives it back.
#[hype::function]
pub fn echo_text(text: String) -> String {
    text
}

/// Gives them back.
#[hype::function]
pub fn echo_texts(texts: Vec<String>) -> Vec<String> {
    texts
}
