//! Adding Rust's target if it is missing. Scripts replace rustc and rustup, since the real toolchain has the target.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::hype::hype;
use crate::package::Package;

const RUSTC: &str = "\
case \"$*\" in
*target-libdir*) echo TOOLS/rustlib/wasm32-wasip1/lib ;;
*) PATH=${PATH#*:} exec rustc \"$@\" ;;
esac
";

/// A rustup that creates the target's directory first, then blocks until the test continues it.
const RUSTUP: &str = "\
echo \"$@\" >>TOOLS/calls
mkdir -p TOOLS/rustlib/wasm32-wasip1/lib
cat TOOLS/continue
";

fn write_script(tools: &Path, name: &str, script: &str) {
    let path = tools.join(name);
    let script = script.replace("TOOLS", tools.to_str().unwrap());
    fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn one_build_adds_the_target_while_another_waits() {
    let package = Package::write("at-once", "#[hype::function]\npub fn nothing() {}\n");
    let directory = tempfile::tempdir().unwrap();
    let tools = directory.path();
    write_script(tools, "rustc", RUSTC);
    write_script(tools, "rustup", RUSTUP);
    fs::create_dir(tools.join("rustlib")).unwrap();
    fs::write(tools.join("rustlib/rust-installer-version"), "3\n").unwrap();
    let continue_pipe = tools.join("continue");
    assert!(Command::new("mkfifo").arg(&continue_pipe).status().unwrap().success());

    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let start = || hype(&["build"]).in_package(&package).with_env("PATH", &path).start();
    let mut first = start();
    first.wait_for("Adding Rust's target wasm32-wasip1 (rustup target add wasm32-wasip1)");
    let mut second = start();
    second.wait_for("Waiting until another build has added Rust's target wasm32-wasip1");
    fs::write(continue_pipe, "").unwrap();
    assert_eq!((first.status(), second.status()), (Some(0), Some(0)));
    assert_eq!(fs::read_to_string(tools.join("calls")).unwrap(), "target add wasm32-wasip1\n");
}
