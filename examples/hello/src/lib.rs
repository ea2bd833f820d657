//! The smallest closure: it takes a string and returns a string.

/// Greets `arg`.
#[hype::function]
pub fn example(arg: String) -> String {
    format!("{arg} world!")
}

#[cfg(test)]
mod tests {
    use super::example;

    #[test]
    fn example_appends_world() {
        assert_eq!(example::call("hello".into()), "hello world!");
    }
}
