//! Writes random modules: `random-modules SHAPE.wat DIRECTORY SEED COUNT`. Each imports and exports what SHAPE does,
//! with bodies by wasm-smith, and is called by its seed.

use std::error::Error;
use std::path::Path;

use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shape, directory, seed, count] = arguments.as_slice() else {
        return Err("usage: random-modules SHAPE.wat DIRECTORY SEED COUNT".into());
    };
    let (first, count): (u64, usize) = (seed.parse()?, count.parse()?);
    let shape = wat::parse_file(shape)?;
    let modules = (first..).filter_map(|seed| Some((seed, module(&shape, seed)?)));
    for (seed, module) in modules.take(count) {
        std::fs::write(Path::new(directory).join(format!("{seed}.wasm")), module)?;
    }
    Ok(())
}

/// Returns the module of `seed`, unless its bytes are too few for one.
fn module(shape: &[u8], seed: u64) -> Option<Vec<u8>> {
    let config = Config {
        module_shape: Some(shape.to_vec()),
        exceptions_enabled: false,
        gc_enabled: false,
        max_funcs: 10,
        max_instructions: 200,
        max_table_elements: 1000,
        memory64_enabled: false,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        ..Config::default()
    };
    let bytes = bytes(seed);
    let module = Module::new(config, &mut Unstructured::new(&bytes));
    Some(module.ok()?.to_bytes())
}

/// Returns the bytes that choose the module.
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let length = 500 + next() % 8000;
    (0..length).map(|_| (next() >> 32) as u8).collect()
}
