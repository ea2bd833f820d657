//! A function has no qualifiers.

#[hype::function]
async fn asynchronous() {}

#[hype::function]
unsafe fn dangerous() {}

#[hype::function]
const fn constant() {}

#[hype::function]
extern "C" fn foreign() {}

#[hype::function]
unsafe extern "C" fn variadic(count: u32, _: ...) {}

fn main() {}
