//! `cargo hype build` of packages that state the command that builds their component.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use insta::assert_snapshot;

use crate::hype::{RedactedOutput, hype};
use crate::package::{Package, target_directory};

/// Writes a package with this table, and a component with the function `name` as its input.
fn package(name: &str, table: &str, function: &str) -> Package {
    let package = Package::write(name, "");
    let manifest = fs::read_to_string(package.directory().join("Cargo.toml")).unwrap();
    let table = format!("{manifest}\n[package.metadata.hype]\n{table}\n");
    let package = package.with_file("Cargo.toml", &table);
    write_input(&package, function);
    package
}

fn write_input(package: &Package, function: &str) {
    let component = format!(
        r#"(component
        (core module $m (func (export "f") (result i32) i32.const 7))
        (core instance $i (instantiate $m))
        (func $f (result u32) (canon lift (core func $i "f")))
        (export "{function}" (func $f)))"#
    );
    let path = package.directory().join("input.wasm");
    fs::write(path, wat::parse_str(component).unwrap()).unwrap();
}

fn build(package: &Package) -> RedactedOutput {
    hype(&["build"]).in_package(package).redacted()
}

const COPY: &str = r#"build = ["cp", "input.wasm", "{output}"]
inputs = ["input.wasm"]"#;

#[test]
fn command_runs_when_an_input_has_changed() {
    let package = package("copied", COPY, "seven");
    // An earlier run of this test may have built it.
    let component = target_directory().join("hype/copied.wasm");
    let _ = fs::remove_file(&component);
    assert_snapshot!(build(&package), @r#"
    status 0
    --- stderr
        Building copied with cp
       Component [TARGET]/tmp/cargo-hype/hype/copied.wasm ([SIZE], 1 function: seven)
    "#);
    // The same contents with a later time, as after a checkout.
    let modified = |path: &Path| path.metadata().unwrap().modified().unwrap();
    let later = modified(&component) + Duration::from_millis(1);
    let input = fs::File::options().append(true).open(package.directory().join("input.wasm"));
    input.unwrap().set_modified(later).unwrap();
    assert_snapshot!(build(&package), @r#"
    status 0
    --- stderr
       Unchanged [TARGET]/tmp/cargo-hype/hype/copied.wasm ([SIZE], 1 function: seven)
    "#);
    assert!(modified(&component) > later, "programs reject a component older than its sources");
    write_input(&package, "another");
    assert_snapshot!(build(&package), @r#"
    status 0
    --- stderr
        Building copied with cp
       Component [TARGET]/tmp/cargo-hype/hype/copied.wasm ([SIZE], 1 function: another)
    "#);
}

#[test]
fn unusable_command_is_an_error_with_a_fix() {
    let missing_program = COPY.replace("\"cp\"", "\"no-such-compiler\"");
    let missing_input = COPY.replace("= [\"input.wasm\"", "= [\"missing\"");
    for (name, table, problem, fix) in [
        ("no-program", missing_program, "cannot run no-such-compiler, which", "install no-such"),
        (
            "no-script",
            COPY.replace("\"cp\"", "\"./no-such\""),
            "cannot run ./no-such, which",
            "names it, relative to the package",
        ),
        (
            "failing",
            COPY.replace("input.wasm\", \"{", "missing.wasm\", \"{"),
            "cp, which builds `failing`, failed with exit status: 1",
            "see its output above",
        ),
        (
            "no-output",
            COPY.replace("\"cp\", \"input.wasm\"", "\"true\""),
            "true, which builds `no-output`, wrote no component to {output}",
            "`build` in ",
        ),
        (
            "no-component",
            COPY.replace("\"input.wasm\", \"{", "\"Cargo.toml\", \"{"),
            "no-component.wasm is not a WebAssembly component",
            "`build` in ",
        ),
        (
            "directory-output",
            COPY.replace("\"cp\", \"input.wasm\"", "\"mkdir\""),
            "the command that builds `directory-output` wrote no component",
            "`build` in ",
        ),
        (
            "no-input",
            missing_input,
            "cannot read the inputs of `no-input`",
            "`inputs` and `wit` in ",
        ),
        (
            "no-wit",
            format!("{COPY}\nwit = \"none.wit\""),
            "cannot read the inputs of `no-wit`",
            "`inputs` and `wit` in ",
        ),
    ] {
        let output = build(&package(name, &table, "seven")).to_string();
        assert!(output.starts_with("status 2\n"), "{output}");
        assert!(output.contains(problem) && output.contains(fix), "{output}");
    }
}

#[test]
fn unchanged_component_of_moved_package_has_the_new_sources() {
    let package = package("moved", COPY, "seven");
    assert_eq!(build(&package).status, 0);
    let sources = target_directory().join("hype/moved.sources");
    let listed = fs::read_to_string(&sources).unwrap();
    assert_eq!(Path::new(&listed), package.directory().join("input.wasm"));
    fs::write(&sources, "/old/input.wasm").unwrap();
    let output = build(&package);
    assert!(output.stderr.contains("Unchanged"), "{output}");
    assert_eq!(fs::read_to_string(&sources).unwrap(), listed);
}

/// Builds a package whose command copies `wat`.
fn build_wat(name: &str, wat: &str) -> RedactedOutput {
    let package = package(name, COPY, "seven");
    // An earlier run of this test may have built it.
    let _ = fs::remove_file(target_directory().join("hype").join(name).with_extension("wasm"));
    fs::write(package.directory().join("input.wasm"), wat::parse_str(wat).unwrap()).unwrap();
    build(&package)
}

/// Builds a package whose command copies a module that exports `seven`, and that states the WIT text `wit`.
fn build_with_wit(name: &str, wit: &str) -> RedactedOutput {
    let package = package(name, &format!("{COPY}\nwit = \"seven.wit\""), "seven");
    // An earlier run of this test may have built it.
    let _ = fs::remove_file(target_directory().join("hype").join(name).with_extension("wasm"));
    let module = wat::parse_str(r#"(module (func (export "seven") (result i32) i32.const 7))"#);
    fs::write(package.directory().join("input.wasm"), module.unwrap()).unwrap();
    fs::write(package.directory().join("seven.wit"), wit).unwrap();
    build(&package)
}

#[test]
fn module_gets_the_stated_wit() {
    let wit = "package acme:seven; world seven { export seven: func() -> u32; }";
    assert_snapshot!(build_with_wit("with-wit", wit), @r#"
    status 0
    --- stderr
        Building with-wit with cp
       Component [TARGET]/tmp/cargo-hype/hype/with-wit.wasm ([SIZE], 1 function: seven)
    "#);
    for wit in ["world", "package acme:seven;"] {
        let output = build_with_wit("unusable-wit", wit).to_string();
        assert!(output.starts_with("status 2\n"), "{output}");
        let problem = "the WIT of `unusable-wit` cannot be used";
        assert!(output.contains(problem) && output.contains("`wit` in "), "{output}");
    }
}

#[test]
fn component_without_functions_is_an_error() {
    for wat in ["(component)", "(module)"] {
        let output = build_wat("no-functions", wat).to_string();
        assert!(output.starts_with("status 2\n"), "{output}");
        let problem = "the component of `no-functions` has no functions, and is no program";
        assert!(output.contains(problem) && output.contains("`build` in "), "{output}");
    }
}

#[test]
fn module_with_unknown_import_is_an_error_with_a_fix() {
    let wat = r#"(module (import "env" "f" (func)) (memory (export "memory") 1))"#;
    let output = build_wat("unknown-import", wat).to_string();
    assert!(output.starts_with("status 2\n"), "{output}");
    assert!(output.contains("env") && output.contains("compile it for WASI"), "{output}");
}

#[test]
fn module_with_start_becomes_a_program() {
    let component = target_directory().join("hype/start.wasm");
    let wat = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
    let output = build_wat("start", wat);
    assert_snapshot!(output, @r#"
    status 0
    --- stderr
        Building start with cp
       Component [TARGET]/tmp/cargo-hype/hype/start.wasm ([SIZE], a program)
    "#);
    assert!(hype::Component::open(component).unwrap().is_program());
}
