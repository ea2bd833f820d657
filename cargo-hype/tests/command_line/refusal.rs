//! `cargo hype build` of what cannot be a component: which crate is to blame, and what to do.

use insta::assert_snapshot;

use crate::hype::hype;
use crate::package::{Package, manifest_of};

const FUNCTION: &str = "#[hype::function]\npub fn open() {}\n";

/// What `cargo hype` itself says when it builds `package`, which must fail; cargo says `cause` before.
fn refused(package: &Package, cause: &str) -> String {
    let seen = hype(&["build"]).in_package(package).seen();
    assert_eq!((seen.status, seen.stdout.as_str()), (2, ""), "{seen}");
    let (cargos, ours) = seen.stderr.rsplit_once("\nerror: ").unwrap();
    assert_eq!(cargos.matches(cause).count(), 1, "{seen}");
    ours.to_owned()
}

#[test]
fn a_dependency_that_is_not_for_wasm_is_named() {
    let package = Package::write("needs-sockets", FUNCTION).with_dependency(
        "sockets",
        "#[cfg(target_family = \"wasm\")]\ncompile_error!(\"there are no sockets in wasm\");\n",
    );
    assert_snapshot!(refused(&package, "error: there are no sockets in wasm"), @r#"
    `sockets` 1.2.3, which `needs-sockets` needs, doesn't compile for wasm32-wasip1
    Caused by:
       0: there are no sockets in wasm
    Hint: use another crate in the library, or this one in the program alone, under [target.'cfg(not(target_family = "wasm"))'.dependencies]; what a closure can't do: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}

#[test]
fn a_dependency_names_the_direct_dependency_that_needs_it_in_components() {
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
    assert_snapshot!(refused(&package, "could not find `unix` in `os`"), @r#"
    `socket2` 1.2.3, which `needs-client` needs for `client`, doesn't compile for wasm32-wasip1
    Caused by:
       0: cannot find `unix` in `os`
    Hint: a closure has no sockets: send requests by hype::http, where the environment grants it, or connect in the program, and give the closure what came; more of what a closure can't do: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}

#[test]
fn a_build_script_that_fails_is_named() {
    let package = Package::write("needs-c", FUNCTION).with_dependency("stone-sys", "").with_file(
        "stone-sys/build.rs",
        "fn main() {\n\
             \x20   let target = std::env::var(\"TARGET\").unwrap();\n\
             \x20   eprintln!(\"compiling stone.c\");\n\
             \x20   eprintln!(\"error occurred: there is no C compiler for {target}\");\n\
             \x20   std::process::exit(1);\n}\n",
    );
    let cause = "error occurred: there is no C compiler for wasm32-wasip1";
    assert_snapshot!(refused(&package, cause), @r#"
    the build script of `stone-sys` 1.2.3, which `needs-c` needs, fails for wasm32-wasip1
    Caused by:
       0: error occurred: there is no C compiler for wasm32-wasip1
    Hint: use another crate in the library, or this one in the program alone, under [target.'cfg(not(target_family = "wasm"))'.dependencies]; what a closure can't do: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}

#[test]
fn code_that_wasm_lacks_is_told_where_to_go() {
    let package = Package::write(
        "own-fault",
        "#[hype::function]\npub fn owner() -> u32 {\n    \
         std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(\"/\").unwrap())\n}\n",
    );
    assert_snapshot!(refused(&package, "could not find `unix` in `os`"), @r#"
    the library of `own-fault` doesn't compile for wasm32-wasip1
    Hint: keep what it lacks out of the component with #[cfg(not(target_family = "wasm"))], or in src/main.rs; what to use instead: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}

#[test]
fn a_submitter_is_not_there_in_a_closure() {
    let package = Package::write(
        "submits",
        "#[hype::function]\npub fn nested() {\n    let _ = hype::Submitter::local();\n}\n",
    );
    refused(&package, "cannot find `Submitter` in `hype`");
}

#[test]
fn a_string_of_the_system_in_a_field_is_told_what_to_use() {
    let package = Package::write(
        "names-files",
        "#[derive(hype::serde::Serialize, hype::serde::Deserialize)]\n\
         #[serde(crate = \"hype::serde\")]\n\
         pub struct Entry {\n    pub name: std::ffi::OsString,\n}\n\n\
         #[hype::function]\npub fn size(entry: Entry) -> usize {\n    entry.name.len()\n}\n",
    );
    let seen = hype(&["build"]).in_package(&package).seen();
    let (cargos, ours) = seen.stderr.rsplit_once("\nerror: ").unwrap();
    assert!(cargos.contains("the trait bound `OsString: "), "{seen}");
    assert_snapshot!(ours, @r#"
    the library of `names-files` doesn't compile for wasm32-wasip1
    Hint: OsString has another form on each system, so that it cannot cross: use String, PathBuf or Vec<u8> in its place, in the fields of your types too; what to use instead: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}

#[test]
fn a_function_of_c_that_is_nowhere_is_named() {
    let package = Package::write(
        "calls-c",
        "unsafe extern \"C\" {\n    fn sqlite3_open() -> i32;\n}\n\n\
         #[hype::function]\npub fn open() -> i32 {\n    unsafe { sqlite3_open() }\n}\n",
    );
    assert_snapshot!(hype(&["build"]).in_package(&package).seen(), @r#"
    status 2
    --- stderr
    error: the library of `calls-c` needs `env::sqlite3_open`, which no component has
    Hint: a crate declares it and expects it of C (`env::`): use one that is Rust alone; what a closure can't do: https://github.com/spotify/hype/blob/HEAD/docs/closures.md
    "#);
}
