//! How the command is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let musl = std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl");
    if musl {
        // What depends on where the program lies is noted in few bytes, rather than in a megabyte that each
        // start reads. Linkers that can't, warn and go on.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
