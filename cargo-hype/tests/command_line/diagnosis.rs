//! `cargo hype build` of packages that don't compile for components: the crate to blame and the hint.

use insta::assert_snapshot;

use crate::hype::hype;
use crate::package::{Package, manifest_of};

const FUNCTION: &str = "#[hype::function]\npub fn open() {}\n";

/// Builds `package`, which must fail, and returns the error of `cargo hype` itself. Checks that cargo prints `cause`
/// once before.
fn build_error(package: &Package, cause: &str) -> String {
    let output = hype(&["build"]).in_package(package).redacted();
    assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{output}");
    let (before, error) = output.stderr.rsplit_once("\nerror: ").unwrap();
    assert_eq!(before.matches(cause).count(), 1, "{output}");
    error.to_owned()
}

#[test]
fn dependency_that_does_not_compile_is_named() {
    let package = Package::write("needs-sockets", FUNCTION).with_dependency(
        "sockets",
        "#[cfg(target_family = \"wasm\")]\ncompile_error!(\"there are no sockets in wasm\");\n",
    );
    assert_snapshot!(build_error(&package, "error: there are no sockets in wasm"), @r#"
    `sockets` 1.2.3, which `needs-sockets` needs, doesn't compile for wasm32-wasip1
    Caused by:
       0: there are no sockets in wasm
    Hint: use another crate in the library, or use this one only in the program, under [target.'cfg(not(target_family = "wasm"))'.dependencies]; what a closure can't do: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}

#[test]
fn indirect_dependency_is_named_with_its_direct_dependent() {
    let package = Package::write("needs-client", FUNCTION)
        .with_dependency("client", "")
        .with_dependency("admin", "")
        .with_file(
            "admin/Cargo.toml",
            &manifest_of(
                "admin",
                "[target.'cfg(not(target_family = \"wasm\"))'.dependencies]\n\
                 socket2 = { path = \"../client/socket2\" }\n",
            ),
        )
        .with_file(
            "client/Cargo.toml",
            &manifest_of("client", "socket2 = { path = \"socket2\" }\n"),
        )
        .with_file("client/socket2/Cargo.toml", &manifest_of("socket2", ""))
        .with_file("client/socket2/src/lib.rs", "pub fn f() { std::os::unix::nothing() }\n");
    assert_snapshot!(build_error(&package, "could not find `unix` in `os`"), @r#"
    `socket2` 1.2.3, which `needs-client` needs for `client`, doesn't compile for wasm32-wasip1
    Caused by:
       0: cannot find `unix` in `os`
    Hint: a closure has no sockets: send requests with hype::http, if the environment grants it, or connect in the program and pass the received data to the closure; more of what a closure can't do: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}

#[test]
fn failing_build_script_is_named() {
    let package = Package::write("needs-c", FUNCTION).with_dependency("stone-sys", "").with_file(
        "stone-sys/build.rs",
        "fn main() {\n\
             \x20   let target = std::env::var(\"TARGET\").unwrap();\n\
             \x20   eprintln!(\"compiling stone.c\");\n\
             \x20   eprintln!(\"error occurred: there is no C compiler for {target}\");\n\
             \x20   std::process::exit(1);\n}\n",
    );
    let cause = "error occurred: there is no C compiler for wasm32-wasip1";
    assert_snapshot!(build_error(&package, cause), @r#"
    the build script of `stone-sys` 1.2.3, which `needs-c` needs, fails for wasm32-wasip1
    Caused by:
       0: error occurred: there is no C compiler for wasm32-wasip1
    Hint: use another crate in the library, or use this one only in the program, under [target.'cfg(not(target_family = "wasm"))'.dependencies]; what a closure can't do: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}

#[test]
fn missing_item_of_std_gets_advice() {
    let package = Package::write(
        "own-fault",
        "#[hype::function]\npub fn owner() -> u32 {\n    \
         std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(\"/\").unwrap())\n}\n",
    );
    assert_snapshot!(build_error(&package, "could not find `unix` in `os`"), @r#"
    the library of `own-fault` doesn't compile for wasm32-wasip1
    Hint: exclude the missing item from the component with #[cfg(not(target_family = "wasm"))], or move it to src/main.rs; what to use instead: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}

#[test]
fn use_of_a_submitter_in_a_closure_does_not_compile() {
    let package = Package::write(
        "submits",
        "#[hype::function]\npub fn nested() {\n    let _ = hype::Submitter::local();\n}\n",
    );
    build_error(&package, "cannot find `Submitter` in `hype`");
}

#[test]
fn os_string_in_a_field_gets_advice() {
    let package = Package::write(
        "names-files",
        "#[derive(hype::serde::Serialize, hype::serde::Deserialize)]\n\
         #[serde(crate = \"hype::serde\")]\n\
         pub struct Entry {\n    pub name: std::ffi::OsString,\n}\n\n\
         #[hype::function]\npub fn size(entry: Entry) -> usize {\n    entry.name.len()\n}\n",
    );
    let output = hype(&["build"]).in_package(&package).redacted();
    let (before, error) = output.stderr.rsplit_once("\nerror: ").unwrap();
    assert!(before.contains("the trait bound `OsString: "), "{output}");
    assert_snapshot!(error, @r#"
    the library of `names-files` doesn't compile for wasm32-wasip1
    Hint: the form of OsString differs between systems, so it cannot be sent: use String, PathBuf or Vec<u8> instead, in the fields of your types too; what to use instead: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}

#[test]
fn missing_c_function_is_named() {
    let package = Package::write(
        "calls-c",
        "unsafe extern \"C\" {\n    fn sqlite3_open() -> i32;\n}\n\n\
         #[hype::function]\npub fn open() -> i32 {\n    unsafe { sqlite3_open() }\n}\n",
    );
    assert_snapshot!(hype(&["build"]).in_package(&package).redacted(), @r#"
    status 2
    --- stderr
    error: the library of `calls-c` needs `env::sqlite3_open`, which no component has
    Hint: a crate expects it from a C library (`env::`): use a crate that is pure Rust; what a closure can't do: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}
