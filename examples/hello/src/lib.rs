//! The smallest closure: what it takes and what it gives is text.

/// Greets `arg`.
#[hype::function]
pub fn example(arg: String) -> String {
    format!("{arg} world!")
}

#[cfg(test)]
mod tests {
    use super::example;

    #[test]
    fn the_body_can_be_tested_in_place() {
        assert_eq!(example::call("hello".into()), "hello world!");
    }
}
