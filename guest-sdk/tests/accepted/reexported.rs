//! hype re-exported by another crate.

mod framework {
    #[expect(
        clippy::single_component_path_imports,
        reason = "that is the way to reexport a crate"
    )]
    pub(crate) use hype;
}

/// Parses a number.
#[framework::hype::function(crate = framework::hype)]
pub fn parse(text: String) -> Result<u8, std::num::ParseIntError> {
    text.parse()
}

#[framework::hype::main(crate = "framework::hype")]
async fn main() {
    framework::hype::embed!(crate = framework::hype);
    let closure: framework::hype::Closure<u8> = parse("3".into());
    drop(closure);
    assert_eq!(parse::call("3".into()), Ok(3));
}
