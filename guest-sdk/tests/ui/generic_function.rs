//! A function is called by its name, so it cannot be generic.

#[hype::function]
fn types<T: Clone>(value: T) -> T
where
    T: Default,
{
    value
}

#[hype::function]
fn lifetimes<'a>(text: std::borrow::Cow<'a, str>) {}

#[hype::function]
fn constants<const N: usize>(bytes: [u8; N]) {}

fn main() {}
