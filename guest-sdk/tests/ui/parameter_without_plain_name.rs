//! A parameter must have a plain name and a type.

#[hype::function]
fn taken_apart((a, b): (u8, u8), [c]: [u8; 1], ref d: u8, e @ _: u8) {}

#[hype::function]
fn ignored(_: u8) {}

#[hype::function]
fn annotated(#[cfg(unix)] unix: u8, #[allow(unused)] unused: u8) {}

fn main() {}
