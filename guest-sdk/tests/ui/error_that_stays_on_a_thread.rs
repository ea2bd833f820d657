//! An error goes from the thread that it happens on to the one that reports it.

#[hype::function]
fn boxed() -> Result<u8, Box<dyn std::error::Error>> {
    Ok(1)
}

#[hype::function]
fn half() -> Result<u8, Box<dyn std::error::Error + Send + 'static>> {
    Ok(1)
}

fn main() {}
