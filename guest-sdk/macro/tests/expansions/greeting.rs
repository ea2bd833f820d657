/// Greets.
///
/// # Examples
///
///     example::call("hello".into(), 3);
#[hype::function]
#[inline]
pub fn example(mut arg: String, n: u32) -> String {
    arg.push_str(&"!".repeat(n as usize));
    arg
}
