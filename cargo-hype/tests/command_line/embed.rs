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

/// A program that prints the values of `greet` of another package and of its own `sign`.
const MAIN: &str = "\
use carried::sign;
use words::greet;

#[hype::main]
async fn main() -> hype::Result<()> {
    println!(\"{}, {}\", greet().await?, sign().await?);
    Ok(())
}
";

/// A program without `#[hype::main]`; a test replaces the comment by `hype::embed!()`.
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

/// Returns a `cargo hype build --embed` command with more options.
fn embed(package: &Package, options: &[&str]) -> Hype {
    hype(&[&["build", "--embed"], options].concat()).in_program(package)
}

/// A program in an otherwise empty directory, with an empty environment.
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

    /// Runs the program; returns whether it succeeds, its standard output and its standard error.
    fn run(mut self) -> (bool, String, String) {
        let Output { status, stdout, stderr } = self.command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.success(), text(stdout), text(stderr))
    }

    /// Checks that the program prints `line`, and returns its standard error.
    fn check_prints(self, line: &str) -> String {
        let (succeeds, stdout, stderr) = self.run();
        assert!(succeeds, "{stderr}");
        assert_eq!(stdout, format!("{line}\n"));
        stderr
    }
}

#[test]
fn program_with_embedded_components_runs_alone() {
    let package = Package::write_program("carried", &function("sign", "yours"), MAIN)
        .with_file("src/bin/plain.rs", PLAIN)
        .with_definer("words", &function("greet", "hello"));
    assert_snapshot!(embed(&package, &["--bin", "carried"]).redacted(), @r#"
    status 0
    --- stderr
       Component [TARGET]/hype/carried.wasm ([SIZE], 1 function: sign)
       Component [TARGET]/hype/words.wasm ([SIZE], 1 function: greet)
         Program [TARGET]/debug/carried, with its components inside
    "#);
    let program = target_directory().join("debug/carried");
    Alone::new(&program).check_prints("hello, yours");

    let nowhere = tempfile::tempdir().unwrap();
    let alone = Alone::new(&program).with_env("HYPE_COMPONENT_DIR", nowhere.path());
    let stderr = alone.check_prints("hello, yours");
    let warning = "words.wasm is inside the program: HYPE_COMPONENT_DIR is not";
    assert!(stderr.contains(warning), "{stderr}");

    let alone =
        Alone::new(&program).with_env("HOME", "/dev/null").with_env("TMPDIR", nowhere.path());
    let stderr = alone.check_prints("hello, yours");
    let directory = format!("staging in {}/hype-", nowhere.path().display());
    assert!(stderr.contains(&directory), "{stderr}");

    let package = package.with_file("words/src/lib.rs", &function("greet", "good day"));
    let output = embed(&package, &["--message-format", "json", "--bin", "carried"]).redacted();
    assert_eq!(output.status, 0, "{output}");
    let last: Value = serde_json::from_str(output.stdout.lines().last().unwrap()).unwrap();
    let expected = json!({
        "reason": "hype-program",
        "name": "carried",
        "path": "[TARGET]/debug/carried",
        "components": ["carried", "words"],
    });
    assert_eq!(last, expected);
    Alone::new(&program).check_prints("good day, yours");

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

    // Without --bin, all programs of the package are built.
    assert_snapshot!(embed(&package, &[]).redacted(), @r#"
    status 2
    --- stderr
    error: the program `plain` embeds no components
    Hint: write #[hype::main] above its `main`, or hype::embed!() as its first statement; choose one of several programs with --bin
    "#);
    let with_embed = PLAIN.replace("// Here.", "hype::embed!();");
    let package = package.with_file("src/bin/plain.rs", &with_embed);
    assert_snapshot!(embed(&package, &[]).redacted(), @r#"
    status 0
    --- stderr
       Unchanged [TARGET]/hype/carried.wasm ([SIZE], 1 function: sign)
       Unchanged [TARGET]/hype/words.wasm ([SIZE], 1 function: greet)
         Program [TARGET]/debug/carried, with its components inside
         Program [TARGET]/debug/plain, with its components inside
    "#);
    Alone::new(&program).check_prints("good day, yours");
    Alone::new(&program.with_file_name("plain")).check_prints("yours");
}

#[test]
fn package_without_program_embeds_nothing() {
    assert_snapshot!(hype(&["build", "--embed", "-p", "test-library"]).redacted(), @r#"
    status 2
    --- stderr
    error: `test-library` has no program to run
    Hint: write one in its src/main.rs, or call a function: cargo hype call
    "#);
    assert_snapshot!(hype(&["build", "--embed", "-p", "hello", "--bin", "bye"]).redacted(), @r#"
    status 2
    --- stderr
    error: `hello` has no program `bye`
    Hint: it has: hello
    "#);
    assert_snapshot!(hype(&["build", "--bin", "hello"]).redacted(), @r#"
    status 2
    --- stderr
    error: the following required arguments were not provided:
      --embed

    Usage: cargo hype build --embed --bin <NAME>

    For more information, try '--help'.
    "#);
}
