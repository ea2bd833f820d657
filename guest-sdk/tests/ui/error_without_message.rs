//! An error must have a message.

enum Silent {}

#[hype::function]
fn silent() -> Result<u8, Silent> {
    Ok(1)
}

fn main() {}
