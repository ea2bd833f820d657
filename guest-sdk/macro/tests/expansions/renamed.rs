//! hype under a custom path.

#[hype::function(crate = framework::hype)]
pub fn parse(text: String) -> Result<u8, std::num::ParseIntError> {
    text.parse()
}

#[hype::main(crate = framework::hype)]
async fn main() {}
