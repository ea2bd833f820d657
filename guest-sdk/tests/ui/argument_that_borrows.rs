//! Arguments are sent by value, so they cannot borrow.

#[hype::function]
fn text(text: &str, path: &std::path::Path) {}

#[hype::function]
fn slices(bytes: &[u8], texts: &mut [&str]) {}

#[hype::function]
fn nested(words: Vec<(u32, Option<&str>)>, pair: [&'static u8; 2]) {}

#[hype::function]
fn lifetimes(elided: std::borrow::Cow<'_, str>) {}

#[hype::function]
fn pointer(pointer: *const u8) {}

fn main() {}
