//! `cargo hype build --embed`.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::hype::{Hype, cargo, hype, target_directory};
use crate::package::Package;

/// A program that says what `greet` of another package gives, and what `sign` of its own gives.
const MAIN: &str = "\
use carried::sign;
use words::greet;

#[hype::main]
async fn main() -> hype::Result<()> {
    println!(\"{}, {}\", greet().await?, sign().await?);
    Ok(())
}
";

/// A program with a `main` of its own, which is to take its components.
const PLAIN: &str = "\
fn main() -> hype::Result<()> {
    // Here.
    let submitter = hype::blocking::Submitter::local()?;
    println!(\"{}\", submitter.submit(carried::sign(), &hype::RunEnvironment::new())?);
    Ok(())
}
";

fn function(name: &str, value: &str) -> String {
    format!("#[hype::function]\npub fn {name}() -> String {{\n    {value:?}.into()\n}}\n")
}

/// `cargo hype build --embed` with more options.
fn embed(package: &Package, options: &[&str]) -> Hype {
    hype(&[&["build", "--embed"], options].concat()).in_program(package)
}

/// The program at `path`, alone in an empty directory and with an empty environment.
struct Alone {
    command: Command,
    _directory: TempDir,
}

impl Alone {
    fn new(path: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join(path.file_name().unwrap());
        fs::copy(path, &program).unwrap();
        let mut command = Command::new(program);
        command.env_clear().current_dir(directory.path());
        Self { command, _directory: directory }
    }

    fn with_env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Whether it succeeds, its standard output, and its standard error.
    fn run(mut self) -> (bool, String, String) {
        let Output { status, stdout, stderr } = self.command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.success(), text(stdout), text(stderr))
    }

    fn says(self, line: &str) -> String {
        let (succeeds, stdout, stderr) = self.run();
        assert!(succeeds, "{stderr}");
        assert_eq!(stdout, format!("{line}\n"));
        stderr
    }
}

#[test]
fn a_program_with_its_components_inside_runs_anywhere() {
    let package = Package::write_program("carried", &function("sign", "yours"), MAIN)
        .with_file("src/bin/plain.rs", PLAIN)
        .with_definer("words", &function("greet", "hello"));
    assert_snapshot!(embed(&package, &["--bin", "carried"]).seen(), @r#"
    status 0
    --- stderr
       Component [TARGET]/hype/carried.wasm ([SIZE], 1 function: sign)
       Component [TARGET]/hype/words.wasm ([SIZE], 1 function: greet)
         Program [TARGET]/debug/carried, with its components inside
    "#);
    let program = target_directory().join("debug/carried");
    Alone::new(&program).says("hello, yours");

    let nowhere = tempfile::tempdir().unwrap();
    let told = Alone::new(&program).with_env("HYPE_COMPONENT_DIR", nowhere.path());
    let told = told.says("hello, yours");
    assert!(told.contains("words.wasm is inside the program: HYPE_COMPONENT_DIR is not"), "{told}");

    let told =
        Alone::new(&program).with_env("HOME", "/dev/null").with_env("TMPDIR", nowhere.path());
    let told = told.says("hello, yours");
    assert!(told.contains(&format!("staging in {}/hype-", nowhere.path().display())), "{told}");

    let package = package.with_file("words/src/lib.rs", &function("greet", "good day"));
    let seen = embed(&package, &["--message-format", "json", "--bin", "carried"]).seen();
    assert_eq!(seen.status, 0, "{seen}");
    let last: Value = serde_json::from_str(seen.stdout.lines().last().unwrap()).unwrap();
    let told = json!({
        "reason": "hype-program",
        "name": "carried",
        "path": "[TARGET]/debug/carried",
        "components": ["carried", "words"],
    });
    assert_eq!(last, told);
    Alone::new(&program).says("good day, yours");

    let built = cargo()
        .args(["build", "--bins"])
        .current_dir(package.directory())
        .env("CARGO_TARGET_DIR", target_directory())
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let (succeeds, _, stderr) = Alone::new(&program).run();
    assert!(!succeeds && stderr.contains("the component of package words isn't there"), "{stderr}");
    assert!(stderr.contains("cargo hype build --embed"), "{stderr}");

    // All programs of the package are meant where none is named.
    assert_snapshot!(embed(&package, &[]).seen(), @r#"
    status 2
    --- stderr
    error: the program `plain` takes no components
    Hint: write #[hype::main] above its `main`, or hype::embed!() as the first thing in it; --bin chooses among several programs
    "#);
    let embedding = PLAIN.replace("// Here.", "hype::embed!();");
    let package = package.with_file("src/bin/plain.rs", &embedding);
    assert_snapshot!(embed(&package, &[]).seen(), @r#"
    status 0
    --- stderr
       Unchanged [TARGET]/hype/carried.wasm ([SIZE], 1 function: sign)
       Unchanged [TARGET]/hype/words.wasm ([SIZE], 1 function: greet)
         Program [TARGET]/debug/carried, with its components inside
         Program [TARGET]/debug/plain, with its components inside
    "#);
    Alone::new(&program).says("good day, yours");
    Alone::new(&program.with_file_name("plain")).says("yours");
}

#[test]
fn only_a_program_takes_components() {
    assert_snapshot!(hype(&["build", "--embed", "-p", "test-library"]).seen(), @r#"
    status 2
    --- stderr
    error: `test-library` has no program to run
    Hint: write one in its src/main.rs, or call a function: cargo hype call
    "#);
    assert_snapshot!(hype(&["build", "--embed", "-p", "hello", "--bin", "bye"]).seen(), @r#"
    status 2
    --- stderr
    error: `hello` has no program `bye`
    Hint: it has: hello
    "#);
    assert_snapshot!(hype(&["build", "--bin", "hello"]).seen(), @r#"
    status 2
    --- stderr
    error: the following required arguments were not provided:
      --embed

    Usage: cargo hype build --embed --bin <NAME>

    For more information, try '--help'.
    "#);
}
