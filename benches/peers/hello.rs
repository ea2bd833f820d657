//! The peer of the example `hello`: the same as a program for `wasmtime run`.

fn main() {
    let arg = std::env::args().nth(1).unwrap_or_default();
    print!("{arg} world!");
}
