//! `cargo hype new`.

use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use crate::hype::{hype, workspace};

/// Creates a workspace without packages in the target directory, and returns its directory.
fn empty_workspace(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new packages").join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).unwrap();
    }
    fs::create_dir_all(&directory).unwrap();
    let manifest = "[workspace]\nresolver = \"3\"\nmembers = []\n";
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    directory
}

#[test]
fn hype_is_the_only_dependency_of_a_new_package() {
    let directory = tempfile::tempdir().unwrap();
    assert_snapshot!(hype(&["new", "my-words"]).in_directory(directory.path()).redacted(), @r#"
    status 0
    --- stderr
         Created package `my-words`
            Next cd my-words && cargo hype run
    "#);
    let read = |file| fs::read_to_string(directory.path().join("my-words").join(file)).unwrap();
    assert_snapshot!(read("Cargo.toml"), @r#"
    [package]
    name = "my-words"
    version = "0.1.0"
    edition = "2024"

    [dependencies]
    hype = { git = "https://github.com/spotify/hype", package = "spotify-hype" }

    # Cranelift compiles components to machine code and is slow unless it is optimized itself. Debug
    # information of dependencies would only make components large.
    [profile.dev]
    debug = "line-tables-only"

    [profile.dev.package]
    "*".debug = false
    addr2line.opt-level = 1
    blake3.opt-level = 1
    cranelift-codegen.opt-level = 1
    gimli.opt-level = 1
    regalloc2.opt-level = 1
    wasmtime.opt-level = 1
    "#);
    assert!(read("src/lib.rs").contains("/// Greets `name`.\n#[hype::function]\n"));
    assert!(read("src/main.rs").contains("use my_words::greet;\n\n#[hype::main]\n"));
    assert_eq!(read(".gitignore"), "/target\n");
}

#[test]
fn new_package_builds() {
    let directory = empty_workspace("building");
    let clone = workspace();
    // The versions of hype's workspace are downloaded already.
    fs::copy(clone.join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    let new = hype(&["new", "made", "--hype-path", clone.to_str().unwrap()]);
    assert_eq!(new.in_directory(&directory).redacted().status, 0);
    let manifest = fs::read_to_string(directory.join("made/Cargo.toml")).unwrap();
    let host = format!("hype = {{ path = {:?}, ", clone.join("host"));
    assert!(manifest.contains(&host), "{manifest}");
    let build = hype(&["build", "-p", "made"]).sharing_target().in_directory(&directory);
    assert_snapshot!(build.redacted(), @r#"
    status 0
    --- stderr
       Component [TARGET]/tmp/cargo-hype/hype/made.wasm ([SIZE], 1 function: greet)
    "#);
}

#[test]
fn package_in_a_workspace_becomes_a_member() {
    let directory = empty_workspace("including");
    let new = || hype(&["new", "words", "--hype-path", "../../../../"]).in_directory(&directory);
    assert_snapshot!(new().redacted(), @r#"
    status 0
    --- stderr
         Created package `words`, a member of the workspace [TARGET]/tmp/new packages/including
             Add these lines to [TARGET]/tmp/new packages/including/Cargo.toml, without which dev builds compile components slowly:

    [profile.dev.package]
    addr2line.opt-level = 1
    blake3.opt-level = 1
    cranelift-codegen.opt-level = 1
    gimli.opt-level = 1
    regalloc2.opt-level = 1
    wasmtime.opt-level = 1

            Next cargo hype run -p words
    "#);
    let read = |file| fs::read_to_string(directory.join(file)).unwrap();
    assert!(read("Cargo.toml").contains("members = [\"words\"]"));
    assert_snapshot!(read("words/Cargo.toml"), @r#"
    [package]
    name = "words"
    version = "0.1.0"
    edition = "2024"

    [dependencies]
    hype = { path = "../../../../../host", package = "spotify-hype" }
    "#);
    assert!(!directory.join("words/.gitignore").exists(), "the package is inside a repository");

    assert_snapshot!(hype(&["new", "more/words"]).in_directory(&directory).redacted(), @r#"
    status 2
    --- stderr
    error: the workspace already has a package `words`, at [TARGET]/tmp/new packages/including/words
    Hint: choose another name
    "#);
}

#[test]
fn only_missing_profile_lines_are_printed() {
    let directory = empty_workspace("profiled");
    let new = |name| {
        let output =
            hype(&["new", name, "--hype-path", "../../../../"]).in_directory(&directory).redacted();
        assert_eq!(output.status, 0, "{output}");
        output.stderr
    };
    let stderr = new("first");
    let lines: Vec<_> = stderr.lines().filter(|line| line.ends_with(".opt-level = 1")).collect();
    assert!(lines.contains(&"wasmtime.opt-level = 1"), "{stderr}");
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).unwrap();
    let (last, others) = lines.split_last().unwrap();
    let profile = format!("{manifest}[profile.dev.package]\n{}\n", others.join("\n"));
    fs::write(directory.join("Cargo.toml"), &profile).unwrap();
    assert_snapshot!(new("second"), @r#"
         Created package `second`, a member of the workspace [TARGET]/tmp/new packages/profiled
             Add these lines to [TARGET]/tmp/new packages/profiled/Cargo.toml, below its [profile.dev.package], without which dev builds compile components slowly:

    wasmtime.opt-level = 1

            Next cargo hype run -p second
    "#);
    fs::write(
        directory.join("Cargo.toml"),
        fs::read_to_string(directory.join("Cargo.toml")).unwrap() + last,
    )
    .unwrap();
    assert_snapshot!(new("third"), @r#"
    Created package `third`, a member of the workspace [TARGET]/tmp/new packages/profiled
       Next cargo hype run -p third
    "#);
}

#[test]
fn existing_directory_is_rejected() {
    assert_snapshot!(hype(&["new", "examples/hello"]).redacted(), @r#"
    status 2
    --- stderr
    error: examples/hello exists already
    Hint: choose another name; an existing package needs hype in its [dependencies]
    "#);
}

#[test]
fn names_that_would_not_compile_are_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let new = |name: &str| hype(&["new", name]).in_directory(directory.path()).redacted();
    assert_snapshot!(new("fn"), @r#"
    status 2
    --- stderr
    error: a package cannot be called `fn`
    Caused by:
       0: invalid package name `fn`: it is a Rust keyword
    Hint: choose a name of letters, digits, - and _, e.g. greeting
    "#);
    assert_snapshot!(new("hype"), @r#"
    status 2
    --- stderr
    error: a package cannot be called `hype`
    Caused by:
       0: it is the name of the package's dependency hype
    Hint: choose a name of letters, digits, - and _, e.g. greeting
    "#);
    for name in ["3words", "a.b", "build", "gen", "std", "w\u{f6}rter"] {
        let output = new(name);
        assert_eq!(output.status, 2, "{output}");
        assert!(output.stderr.starts_with("error: a package cannot be called"), "{output}");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn hype_path_must_be_a_clone_of_hype() {
    let directory = tempfile::tempdir().unwrap();
    let new = hype(&["new", "words", "--hype-path", "."]).in_directory(directory.path());
    assert_snapshot!(new.redacted(), @r#"
    status 2
    --- stderr
    error: . is not a clone of hype
    Hint: run git clone https://github.com/spotify/hype, and pass its directory
    "#);
    assert!(!directory.path().join("words").exists());
}
