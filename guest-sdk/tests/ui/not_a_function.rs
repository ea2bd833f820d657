//! The attributes apply only to functions.

#[hype::function]
struct Structure;

#[hype::function]
pub mod module {}

#[hype::function]
const CONSTANT: u8 = 1;

#[hype::function]
impl Clone for Other {}

#[hype::main]
static STATIC: u8 = 1;

trait Trait {
    #[hype::function]
    fn without_body(arg: u8);
}

fn main() {}
