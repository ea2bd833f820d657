//! The compiler's flags for the machine, and those for guests.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use crate::hype::{Hype, Seen, hype};
use crate::package::{Package, target_directory};

/// A function that tells how it was compiled.
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

/// Each of these lets a guest fail to be linked, or costs a warning a function.
const MACHINE: &str = "-Clink-arg=-fuse-ld=mold -Ctarget-cpu=native --cfg for_the_machine";

fn flags_as_array() -> String {
    let flags: Vec<_> = MACHINE.split(' ').map(|flag| format!("{flag:?}")).collect();
    format!("[{}]", flags.join(", "))
}

/// Builds `package` as `with` says, and gives what is said of it.
fn built(package: &Package, options: &[&str], with: impl FnOnce(Hype) -> Hype) -> Seen {
    let build = hype(&[&["build"], options].concat()).in_package(package);
    let seen = with(build).seen();
    assert_eq!(seen.status, 0, "{seen}");
    seen
}

fn compiled_with(package: &str) -> String {
    let component = target_directory().join("hype").join(package).with_extension("wasm");
    let called = hype(&["call", component.to_str().unwrap(), "compiled_with"]).seen();
    assert_eq!(called.status, 0, "{called}");
    called.stdout
}

fn write_configuration(directory: &Path, text: &str) {
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join("config.toml"), text).unwrap();
}

#[test]
fn flags_for_the_machine_are_none_for_guests() {
    let package = Package::write("flagged", LIBRARY);
    let place = package.directory().join(".cargo");
    write_configuration(&place, "");
    built(&package, &["--release"], |build| build);
    assert_snapshot!(compiled_with("flagged"), @r#""simd128""#);

    // Neither a link error nor a warning, and not even another build.
    let check = |with: &dyn Fn(Hype) -> Hype| {
        let seen = built(&package, &["--release"], with);
        let lines: Vec<_> = seen.stderr.lines().collect();
        assert!(matches!(lines.as_slice(), [one] if one.starts_with("   Unchanged ")), "{seen}");
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
        write_configuration(&place, &text);
        check(&|build| build);
    }
}

#[test]
fn guests_have_flags_of_their_own() {
    let package = Package::write("own-flags", LIBRARY);
    let place = package.directory().join(".cargo");
    write_configuration(&place, "");
    built(&package, &[], |build| build);
    assert_snapshot!(compiled_with("own-flags"), @r#""""#);

    write_configuration(
        &place,
        "[build]\nrustflags = [\"--cfg\", \"for_the_machine\"]\n\
         [target.wasm32-wasip1]\nrustflags = [\"--cfg\", \"by_name\"]\n\
         [target.'cfg(target_family = \"wasm\")']\nrustflags = \"--cfg by_condition\"\n",
    );
    let variable = "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS";
    let seen = built(&package, &[], |build| {
        build.with_env(variable, "--cfg by_variable").with_env("RUSTFLAGS", MACHINE)
    });
    assert!(seen.stderr.starts_with("   Component "), "{seen}");
    assert_snapshot!(compiled_with("own-flags"), @r#""by_name by_condition by_variable""#);
}
