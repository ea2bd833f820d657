//! `main` must return a type that a program can end with.

#[hype::main]
async fn main() -> u32 {
    1
}

mod blocking {
    #[hype::main]
    fn main() -> Vec<u8> {
        Vec::new()
    }
}
