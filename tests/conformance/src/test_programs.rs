//! The program of `tests/programs`, which is built without hype.

use std::sync::OnceLock;

use cargo_hype::program_module::encode_program;
use hype::Component;

use crate::wasm_module::wasm_module;

/// Returns the program, which is built once per process for `wasm32-wasip1`.
///
/// # Panics
///
/// Panics if it doesn't compile.
pub fn test_programs() -> Component {
    static COMPONENT: OnceLock<Component> = OnceLock::new();
    COMPONENT.get_or_init(build).clone()
}

fn build() -> Component {
    let module = std::fs::read(wasm_module("test-programs")).expect("the module's bytes");
    encode_program("program.wasm", &module).expect("a program")
}
