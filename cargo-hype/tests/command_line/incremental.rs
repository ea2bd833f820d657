//! A second `cargo hype run` compiles nothing, even if another tool started the first one.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::hype::{Hype, hype, target_directory};
use crate::package::Package;

/// A build script that depends on environment variables, as that of ring does.
const WATCHFUL: &str = "\
fn main() {
    for name in [
        \"CARGO\",
        \"CARGO_BIN_EXE_cargo-hype\",
        \"CARGO_ENCODED_RUSTFLAGS\",
        \"CARGO_MANIFEST_DIR\",
        \"CARGO_MANIFEST_PATH\",
        \"CARGO_PKG_NAME\",
        \"CARGO_PKG_VERSION\",
        \"LD_LIBRARY_PATH\",
        \"NEXTEST_RUN_ID\",
        \"OUT_DIR\",
        \"RUSTFLAGS\",
    ] {
        println!(\"cargo::rerun-if-env-changed={name}\");
    }
}
";

/// A program that prints which of cargo's variables it sees.
const MAIN: &str = "\
fn main() {
    let names = [\"CARGO\", \"CARGO_MANIFEST_DIR\", \"CARGO_PKG_NAME\", \"CARGO_BIN_EXE_cargo-hype\"];
    let there: Vec<_> = names.into_iter().filter(|name| std::env::var_os(name).is_some()).collect();
    println!(\"{} {there:?}\", watchful::FIVE);
}
";

/// Writes a package with a function and a program.
fn package() -> Package {
    let library = "#[hype::function]\npub fn five() -> u8 {\n    watchful::FIVE\n}\n";
    Package::write_program("watching", library, MAIN)
        .with_dependency("watchful", "pub const FIVE: u8 = 5;\n")
        .with_file("watchful/build.rs", WATCHFUL)
}

/// Returns the packages that cargo compiled for this run. Checks that the run succeeded.
fn compiled(output: &Output) -> Vec<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "5 []\n", "{stderr}");
    let lines = stderr.lines().filter_map(|line| line.trim_start().strip_prefix("Compiling "));
    lines.map(|line| line.split(' ').next().unwrap_or(line).to_owned()).collect()
}

fn run(package: &Package) -> Hype {
    hype(&["run"]).in_program(package)
}

/// Sets the library search path to the user's directory, with cargo's directories before it if `in_cargo`.
fn with_libraries(hype: Hype, in_cargo: bool) -> Hype {
    let profile = target_directory().join("debug");
    let toolchain = PathBuf::from("/toolchain/lib/rustlib/x86_64-unknown-linux-gnu/lib");
    let added = [profile.join("deps"), profile, toolchain];
    let added = if in_cargo { added.as_slice() } else { &[] };
    let all = added.iter().map(PathBuf::as_path).chain([Path::new("/mine")]);
    hype.with_env("LD_LIBRARY_PATH", std::env::join_paths(all).unwrap())
}

#[test]
fn second_run_compiles_nothing() {
    let package = package();
    let installed = || with_libraries(run(&package).in_shell(), false);
    assert!(compiled(&installed().output()).contains(&"watching".to_owned()));
    assert_eq!(compiled(&installed().output()), [""; 0], "installed");

    let in_test = with_libraries(run(&package), cfg!(target_os = "linux"));
    assert_eq!(compiled(&in_test.output()), [""; 0], "in cargo test");

    let alias = with_libraries(run(&package), cfg!(target_os = "linux"))
        .with_env("CARGO_MANIFEST_DIR", "/clone/cargo-hype")
        .with_env("CARGO_MANIFEST_PATH", "/clone/cargo-hype/Cargo.toml")
        .with_env("OUT_DIR", "/clone/target/debug/build/cargo-hype-0123/out");
    assert_eq!(compiled(&alias.output()), [""; 0], "by the alias");

    let nextest = run(&package).with_env("NEXTEST", "1").with_env("NEXTEST_RUN_ID", "993c234c");
    let nextest = with_libraries(nextest, cfg!(target_os = "linux"));
    assert_eq!(compiled(&nextest.output()), [""; 0], "in cargo-nextest");
}
