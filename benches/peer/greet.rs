//! The peer of the closure `greet`: the same as a program for `wasmtime run`.

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    print!("hello {name}");
}
