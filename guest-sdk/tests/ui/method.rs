//! A method cannot be a closure.

struct Model;

impl Model {
    #[hype::function]
    fn owned(self) {}

    #[hype::function]
    fn borrowed(&mut self, words: Vec<String>) {}

    #[hype::function]
    fn typed(self: Box<Self>) {}

    #[hype::function]
    fn constructor() -> Option<Self> {
        Some(Self)
    }
}

fn main() {}
