//! `cargo hype build`.

use std::fs;
use std::sync::LazyLock;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::hype::{Seen, hype, target_directory};
use crate::package::{self, Package};

/// The examples, built once for all tests.
pub(crate) static EXAMPLES: LazyLock<Seen> = LazyLock::new(|| {
    let seen =
        hype(&["build", "-p", "hello", "-p", "wordcount", "--message-format", "json"]).seen();
    assert_eq!(seen.status, 0, "{seen}");
    seen
});

const GREETING: &str = "\
mod words;

/// Greets `name`.
#[hype::function]
pub fn greet(name: String) -> String {
    words::greeting(&name)
}
";

const WORDS: &str = "\
pub fn greeting(name: &str) -> String {
    format!(\"Hello {name}!\")
}
";

#[test]
fn the_package_of_the_directory_is_built_once() {
    let package = Package::write("greeting", GREETING).with_file("src/words.rs", WORDS);
    assert_snapshot!(hype(&["build"]).in_package(&package).seen(), @r#"
    status 0
    --- stderr
       Component [TARGET]/tmp/cargo-hype/hype/greeting.wasm ([SIZE], 1 function: greet)
    "#);
    assert_snapshot!(hype(&["build"]).in_package(&package).seen(), @r#"
    status 0
    --- stderr
       Unchanged [TARGET]/tmp/cargo-hype/hype/greeting.wasm ([SIZE], 1 function: greet)
    "#);

    let components = package::target_directory().join("hype");
    let sources = fs::read_to_string(components.join("greeting.sources")).unwrap();
    for source in ["src/lib.rs", "src/words.rs"] {
        let source = package.directory().join(source);
        assert!(sources.lines().any(|line| line == source.to_str().unwrap()), "{sources}");
    }
}

#[test]
#[cfg(unix)]
fn others_may_read_a_component_as_any_file() {
    use std::os::unix::fs::PermissionsExt;
    let package = Package::write("readable", "#[hype::function]\npub fn nothing() {}\n");
    let built = hype(&["build"]).in_package(&package).seen();
    assert_eq!(built.status, 0, "{built}");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    let component = package::target_directory().join("hype/readable.wasm");
    assert_eq!(mode(component), mode(package.directory().join("src/lib.rs")));
}

#[test]
fn a_package_of_the_workspace_is_chosen_by_name() {
    LazyLock::force(&EXAMPLES);
    assert_snapshot!(hype(&["build", "-p", "hello"]).seen(), @r#"
    status 0
    --- stderr
       Unchanged [TARGET]/hype/hello.wasm ([SIZE], 1 function: example)
    "#);
    assert!(target_directory().join("hype/hello.wasm").exists());
}

#[test]
fn tools_read_a_line_of_json_for_each_component() {
    let lines: Vec<Value> =
        EXAMPLES.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = lines.iter().map(|line| line["package"].as_str().unwrap()).collect();
    assert_eq!(names, ["hello", "wordcount"]);
    for line in &lines {
        let component = target_directory().join("hype");
        let path =
            line["path"].as_str().unwrap().replace("[TARGET]/hype", component.to_str().unwrap());
        let bytes = fs::read(path).unwrap();
        assert_eq!(line["size"], json!(bytes.len()));
        assert_eq!(line["digest"], json!(hype_digest(&bytes)));
        assert!(line["fresh"].is_boolean());
    }
    assert_eq!(lines[1]["functions"], json!(["count"]));
    let keys: Vec<_> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["digest", "fresh", "functions", "package", "path", "reason", "size"]);
}

fn hype_digest(bytes: &[u8]) -> String {
    ::hype::stage::Digest::of(bytes).to_string()
}

#[test]
fn an_unknown_package_is_answered_with_those_that_there_are() {
    let seen = hype(&["build", "-p", "helo"]).seen();
    assert_eq!(seen.status, 2);
    let lines: Vec<_> = seen.stderr.lines().collect();
    assert_eq!(lines[0], "error: there is no package `helo` here");
    assert!(lines[1].starts_with("Hint: there are: ") && lines[1].contains("hello, "), "{seen}");
}

#[test]
fn a_package_without_hype_is_not_compiled() {
    assert_snapshot!(hype(&["build", "-p", "hype-wire"]).seen(), @r#"
    status 2
    --- stderr
    error: `hype-wire` doesn't depend on hype, and so has no functions
    Hint: add hype to its [dependencies], and #[hype::function] above a `pub fn`
    "#);
}

#[test]
fn a_package_without_functions_says_where_they_go() {
    let package = Package::write("empty", "pub fn plain() {}\n");
    assert_snapshot!(hype(&["build"]).in_package(&package).seen(), @r#"
    status 2
    --- stderr
    error: the library of `empty` has no #[hype::function]
    Hint: write one in its src/lib.rs: #[hype::function] above a `pub fn`
    "#);
}

#[test]
fn all_names_that_functions_share_are_refused_at_once() {
    // The macro finds hype under another name, too.
    let functions = "#[h::function]\npub fn train() {}\n\n#[h::function]\npub fn test() {}\n";
    let package = Package::write("twice", "pub mod large;\npub mod small;\n")
        .with_hype_called("h")
        .with_file("src/large.rs", &format!("//! Large.\n\n{functions}"))
        .with_file("src/small.rs", functions);
    assert_snapshot!(hype(&["build"]).in_package(&package).seen(), @r#"
    status 2
    --- stderr
    error: 2 functions of `twice` are called `test`: src/large.rs:7, src/small.rs:5
    2 functions of `twice` are called `train`: src/large.rs:4, src/small.rs:2
    Hint: give each function a name of its own; modules don't tell closures apart
    "#);
}

#[test]
fn what_does_not_compile_is_told_by_cargo() {
    let package =
        Package::write("broken", "#[hype::function]\npub fn f() -> u8 {\n    \"text\"\n}\n");
    let seen = hype(&["build"]).in_package(&package).seen();
    assert_eq!(seen.status, 2);
    assert!(seen.stderr.contains("error[E0308]: mismatched types"), "{seen}");
    assert!(seen.stderr.contains("src/lib.rs:3:5"), "{seen}");
    let (_, ours) = seen.stderr.split_once("error: the library").unwrap();
    assert_snapshot!(ours, @r#"
     of `broken` doesn't compile for wasm32-wasip1
    Hint: what cargo says above is why
    "#);
}

#[test]
fn optimized_code_keeps_the_names_of_functions() {
    let package = Package::write(
        "careful",
        "#[hype::function]\n\
         pub fn halve(number: u32) -> u32 {\n    exactly(number)\n}\n\
         \n\
         #[inline(never)]\n\
         fn exactly(number: u32) -> u32 {\n\
         \x20   assert!(number.is_multiple_of(2), \"{number} is odd\");\n    number / 2\n}\n",
    );
    let built = hype(&["build", "--release"]).in_package(&package).seen();
    assert_eq!(built.status, 0, "{built}");
    let component = package::target_directory().join("hype/careful.wasm");
    let called = hype(&["call", component.to_str().unwrap(), "halve", "7"]).in_package(&package);
    assert_snapshot!(called.seen().without_progress(), @r#"
    status 1
    --- stderr
    error: closure `halve` panicked at src/lib.rs:8: 7 is odd
    Backtrace of the closure:
       0: careful::exactly
    "#);
    // The lines of the standard library are most of a component otherwise.
    let bytes = std::fs::read(&component).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b".debug_info"), "{} bytes", bytes.len());
}

#[test]
fn an_empty_directory_has_no_packages() {
    let empty = tempfile::tempdir().unwrap();
    let mut seen = hype(&["build"]).in_directory(empty.path()).seen();
    seen.stderr =
        seen.stderr.replace(empty.path().canonicalize().unwrap().to_str().unwrap(), "[EMPTY]");
    assert_snapshot!(seen, @r#"
    status 2
    --- stderr
    error: cargo finds no packages at [EMPTY]
    Hint: go to a directory with a Cargo.toml, or make one: cargo hype new NAME
    "#);
}

#[test]
fn a_manifest_that_cargo_cannot_read_is_told_by_cargo() {
    let package = Package::write("malformed", "").with_file("Cargo.toml", "[package]\nname = 3\n");
    let seen = hype(&["build"]).in_package(&package).seen();
    assert_eq!(seen.status, 2);
    assert!(seen.stderr.contains("invalid type: integer `3`"), "{seen}");
    let (_, ours) = seen.stderr.split_once("error: cargo cannot").unwrap();
    assert_snapshot!(ours, @r#"
     read the packages at [TARGET]/tmp/written packages/malformed
    Hint: what cargo says above is why
    "#);
}
