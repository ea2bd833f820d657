//! How the command is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let musl = std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl");
    if musl {
        // Where a program lies is known only once it starts. To note in few bytes what depends on that is a
        // tenth of its size, and of its start. Linkers that can't, warn and go on.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
