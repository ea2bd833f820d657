//! `cargo hype build`.

use std::fs;
use std::sync::LazyLock;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::hype::{RedactedOutput, hype, target_directory};
use crate::package::{self, Package};

/// The output of building the examples, once for all tests.
pub(crate) static EXAMPLES: LazyLock<RedactedOutput> = LazyLock::new(|| {
    let output =
        hype(&["build", "-p", "hello", "-p", "wordcount", "--message-format", "json"]).redacted();
    assert_eq!(output.status, 0, "{output}");
    output
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
fn package_of_the_directory_is_built_once() {
    let package = Package::write("greeting", GREETING).with_file("src/words.rs", WORDS);
    assert_snapshot!(hype(&["build"]).in_package(&package).redacted(), @r#"
    status 0
    --- stderr
       Component [TARGET]/tmp/cargo-hype/hype/greeting.wasm ([SIZE], 1 function: greet)
    "#);
    let list = package::target_directory().join("hype/greeting.sources");
    // As after the package has moved.
    fs::write(&list, "/old/src/lib.rs").unwrap();
    assert_snapshot!(hype(&["build"]).in_package(&package).redacted(), @r#"
    status 0
    --- stderr
       Unchanged [TARGET]/tmp/cargo-hype/hype/greeting.wasm ([SIZE], 1 function: greet)
    "#);

    let sources = fs::read_to_string(list).unwrap();
    for source in ["src/lib.rs", "src/words.rs"] {
        let source = package.directory().join(source);
        assert!(sources.lines().any(|line| line == source.to_str().unwrap()), "{sources}");
    }
}

#[test]
#[cfg(unix)]
fn component_has_permissions_of_regular_files() {
    use std::os::unix::fs::PermissionsExt;
    let package = Package::write("readable", "#[hype::function]\npub fn nothing() {}\n");
    let built = hype(&["build"]).in_package(&package).redacted();
    assert_eq!(built.status, 0, "{built}");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    let component = package::target_directory().join("hype/readable.wasm");
    assert_eq!(mode(component), mode(package.directory().join("src/lib.rs")));
}

#[test]
fn package_option_selects_a_workspace_member() {
    LazyLock::force(&EXAMPLES);
    assert_snapshot!(hype(&["build", "-p", "hello"]).redacted(), @r#"
    status 0
    --- stderr
       Unchanged [TARGET]/hype/hello.wasm ([SIZE], 1 function: example)
    "#);
    assert!(target_directory().join("hype/hello.wasm").exists());
}

#[test]
fn json_format_prints_a_line_for_each_component() {
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
fn unknown_package_lists_known_packages() {
    let output = hype(&["build", "-p", "helo"]).redacted();
    assert_eq!(output.status, 2);
    let lines: Vec<_> = output.stderr.lines().collect();
    assert_eq!(lines[0], "error: there is no package `helo` here");
    assert!(lines[1].starts_with("Hint: there are: ") && lines[1].contains("hello, "), "{output}");
}

#[test]
fn package_without_hype_is_rejected() {
    assert_snapshot!(hype(&["build", "-p", "hype-wire"]).redacted(), @r#"
    status 2
    --- stderr
    error: `hype-wire` doesn't depend on hype, and so has no functions
    Hint: add hype to its [dependencies], and #[hype::function] above a `pub fn`
    "#);
}

#[test]
fn package_without_functions_is_rejected() {
    let package = Package::write("empty", "pub fn plain() {}\n");
    assert_snapshot!(hype(&["build"]).in_package(&package).redacted(), @r#"
    status 2
    --- stderr
    error: the library of `empty` has no #[hype::function]
    Hint: write one in its src/lib.rs: #[hype::function] above a `pub fn`
    "#);
}

#[test]
fn all_duplicate_function_names_are_reported_together() {
    // The macro also finds a renamed dependency.
    let functions = "#[h::function]\npub fn train() {}\n\n#[h::function]\npub fn test() {}\n";
    let package = Package::write("twice", "pub mod large;\npub mod small;\n")
        .with_hype_called("h")
        .with_file("src/large.rs", &format!("//! Large.\n\n{functions}"))
        .with_file("src/small.rs", functions);
    assert_snapshot!(hype(&["build"]).in_package(&package).redacted(), @r#"
    status 2
    --- stderr
    error: 2 functions of `twice` are called `test`: src/large.rs:7, src/small.rs:5
    2 functions of `twice` are called `train`: src/large.rs:4, src/small.rs:2
    Hint: give each function a unique name; the module of a function is not part of its name
    "#);
}

#[test]
fn compiler_errors_are_forwarded() {
    let package =
        Package::write("broken", "#[hype::function]\npub fn f() -> u8 {\n    \"text\"\n}\n");
    let output = hype(&["build"]).in_package(&package).redacted();
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("error[E0308]: mismatched types"), "{output}");
    assert!(output.stderr.contains("src/lib.rs:3:5"), "{output}");
    let (_, error) = output.stderr.split_once("error: the library").unwrap();
    assert_snapshot!(error, @r#"
     of `broken` doesn't compile for wasm32-wasip1
    Hint: see the compiler's errors above
    "#);
}

#[test]
fn optimized_component_keeps_function_names() {
    let package = Package::write(
        "careful",
        "#[hype::function]\n\
         pub fn halve(number: u32) -> u32 {\n    exactly(number)\n}\n\
         \n\
         #[inline(never)]\n\
         fn exactly(number: u32) -> u32 {\n\
         \x20   assert!(number.is_multiple_of(2), \"{number} is odd\");\n    number / 2\n}\n",
    );
    let built = hype(&["build", "--release"]).in_package(&package).redacted();
    assert_eq!(built.status, 0, "{built}");
    let component = package::target_directory().join("hype/careful.wasm");
    let called = hype(&["call", component.to_str().unwrap(), "halve", "7"]).in_package(&package);
    assert_snapshot!(called.redacted().without_progress(), @r#"
    status 1
    --- stderr
    error: closure `halve` panicked at src/lib.rs:8: 7 is odd
    Backtrace of the closure:
       0: careful::exactly
    "#);
    // Line tables of the standard library would be most of the component.
    let bytes = std::fs::read(&component).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b".debug_info"), "{} bytes", bytes.len());
}

#[test]
fn directory_without_packages_is_rejected() {
    let empty = tempfile::tempdir().unwrap();
    let mut output = hype(&["build"]).in_directory(empty.path()).redacted();
    output.stderr =
        output.stderr.replace(empty.path().canonicalize().unwrap().to_str().unwrap(), "[EMPTY]");
    assert_snapshot!(output, @r#"
    status 2
    --- stderr
    error: cargo finds no packages at [EMPTY]
    Hint: change to a directory with a Cargo.toml, or create one: cargo hype new NAME
    "#);
}

#[test]
fn cargo_manifest_errors_are_forwarded() {
    let package = Package::write("malformed", "").with_file("Cargo.toml", "[package]\nname = 3\n");
    let output = hype(&["build"]).in_package(&package).redacted();
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("invalid type: integer `3`"), "{output}");
    let (_, error) = output.stderr.split_once("error: cargo cannot").unwrap();
    assert_snapshot!(error, @r#"
     read the packages at [TARGET]/tmp/written packages/malformed
    Hint: see cargo's errors above
    "#);
}
