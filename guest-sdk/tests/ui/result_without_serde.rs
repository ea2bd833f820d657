//! Missing serde traits are reported at the return type.

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
