//! An error must have something to say.

enum Silent {}

#[hype::function]
fn silent() -> Result<u8, Silent> {
    Ok(1)
}

fn main() {}
