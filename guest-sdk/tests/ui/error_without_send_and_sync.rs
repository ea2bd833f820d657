//! An error must be `Send + Sync`.

#[hype::function]
fn boxed() -> Result<u8, Box<dyn std::error::Error>> {
    Ok(1)
}

#[hype::function]
fn half() -> Result<u8, Box<dyn std::error::Error + Send + 'static>> {
    Ok(1)
}

fn main() {}
