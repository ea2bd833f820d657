//! What the types cannot do is told where they stand.

struct Plain;

#[hype::function]
fn value() -> Option<Plain> {
    None
}

#[hype::function]
fn fallible() -> std::io::Result<Plain> {
    Ok(Plain)
}

fn main() {}
