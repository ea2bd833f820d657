//! The types in a signature must be fixed types of data.

#[hype::function]
fn arguments(open: impl Into<String>, object: Box<dyn std::error::Error>, code: fn(u8) -> u8) {}

#[hype::function]
fn opaque() -> impl Iterator<Item = u8> {
    [1].into_iter()
}

#[hype::function]
fn opaque_error() -> Result<(), impl std::error::Error> {
    Ok::<(), std::fmt::Error>(())
}

#[hype::function]
fn object() -> Result<Box<dyn std::error::Error>, String> {
    Err(String::new())
}

#[hype::function]
fn never() -> ! {
    loop {}
}

#[hype::function]
fn inferred(numbers: Vec<_>) {}

#[hype::function]
fn system_string(name: std::ffi::OsString, path: &std::ffi::OsStr) {}

fn main() {}
