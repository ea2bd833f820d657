//! Compiler flags for this machine and for guests.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use crate::hype::{Hype, RedactedOutput, hype};
use crate::package::{Package, target_directory};

/// A function that returns the flags that it was compiled with.
const LIBRARY: &str = "\
#![allow(unexpected_cfgs)]

#[hype::function]
pub fn compiled_with() -> String {
    let mut flags = Vec::<&str>::new();
    if cfg!(target_feature = \"simd128\") {
        flags.push(\"simd128\");
    }
    if cfg!(for_the_machine) {
        flags.push(\"for_the_machine\");
    }
    if cfg!(by_name) {
        flags.push(\"by_name\");
    }
    if cfg!(by_condition) {
        flags.push(\"by_condition\");
    }
    if cfg!(by_variable) {
        flags.push(\"by_variable\");
    }
    flags.join(\" \")
}
";

/// Flags for this machine, with which a guest fails to link or causes a warning for each function.
const MACHINE: &str = "-Clink-arg=-fuse-ld=mold -Ctarget-cpu=native --cfg for_the_machine";

fn flags_as_array() -> String {
    let flags: Vec<_> = MACHINE.split(' ').map(|flag| format!("{flag:?}")).collect();
    format!("[{}]", flags.join(", "))
}

/// Builds `package` with the command that `with` adjusts, and returns the output.
fn built(package: &Package, options: &[&str], with: impl FnOnce(Hype) -> Hype) -> RedactedOutput {
    let build = hype(&[&["build"], options].concat()).in_package(package);
    let output = with(build).redacted();
    assert_eq!(output.status, 0, "{output}");
    output
}

fn compiled_with(package: &str) -> String {
    let component = target_directory().join("hype").join(package).with_extension("wasm");
    let called = hype(&["call", component.to_str().unwrap(), "compiled_with"]).redacted();
    assert_eq!(called.status, 0, "{called}");
    called.stdout
}

fn write_configuration(directory: &Path, text: &str) {
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join("config.toml"), text).unwrap();
}

#[test]
fn flags_for_the_machine_do_not_reach_guests() {
    let package = Package::write("flagged", LIBRARY);
    let cargo_directory = package.directory().join(".cargo");
    write_configuration(&cargo_directory, "");
    built(&package, &["--release"], |build| build);
    assert_snapshot!(compiled_with("flagged"), @r#""simd128""#);

    // No link error, no warning, and no rebuild.
    let check = |with: &dyn Fn(Hype) -> Hype| {
        let output = built(&package, &["--release"], with);
        let lines: Vec<_> = output.stderr.lines().collect();
        assert!(matches!(lines.as_slice(), [one] if one.starts_with("   Unchanged ")), "{output}");
    };
    check(&|build| build.with_env("RUSTFLAGS", MACHINE));
    check(&|build| build.with_env("CARGO_BUILD_RUSTFLAGS", MACHINE));
    check(&|build| build.with_env("CARGO_ENCODED_RUSTFLAGS", MACHINE.replace(' ', "\x1f")));
    check(&|build| build.with_env("CARGO_BUILD_TARGET", "no-such-target"));

    for text in [
        format!("[build]\nrustflags = {MACHINE:?}\ntarget = \"no-such-target\"\n"),
        format!("[target.'cfg(all())']\nrustflags = {}\n", flags_as_array()),
        format!("[target.'cfg(not(windows))']\nrustflags = {}\n", flags_as_array()),
    ] {
        write_configuration(&cargo_directory, &text);
        check(&|build| build);
    }
}

#[test]
fn guests_get_flags_configured_for_their_target() {
    let package = Package::write("own-flags", LIBRARY);
    let cargo_directory = package.directory().join(".cargo");
    write_configuration(&cargo_directory, "");
    built(&package, &[], |build| build);
    assert_snapshot!(compiled_with("own-flags"), @r#""""#);

    write_configuration(
        &cargo_directory,
        "[build]\nrustflags = [\"--cfg\", \"for_the_machine\"]\n\
         [target.wasm32-wasip1]\nrustflags = [\"--cfg\", \"by_name\"]\n\
         [target.'cfg(target_family = \"wasm\")']\nrustflags = \"--cfg by_condition\"\n",
    );
    let variable = "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS";
    let output = built(&package, &[], |build| {
        build.with_env(variable, "--cfg by_variable").with_env("RUSTFLAGS", MACHINE)
    });
    assert!(output.stderr.starts_with("   Component "), "{output}");
    assert_snapshot!(compiled_with("own-flags"), @r#""by_name by_condition by_variable""#);
}
