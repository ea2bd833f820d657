//! A type called `Result` is treated as that of std.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Result {
    Won,
    Lost,
}

#[hype::function]
fn play() -> Result {
    Result::Won
}

#[hype::function(fallible)]
fn count() -> Option<u8> {
    None
}

fn main() {}
