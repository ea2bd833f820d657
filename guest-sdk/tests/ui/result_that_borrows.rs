//! Results are sent by value, so they cannot borrow.

#[hype::function]
fn text() -> &'static str {
    "text"
}

#[hype::function]
fn nested() -> Vec<&'static [u8]> {
    Vec::new()
}

#[hype::function]
fn fallible(text: String) -> std::io::Result<std::borrow::Cow<'_, str>> {
    Ok(text.into())
}

fn main() {}
