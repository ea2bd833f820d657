//! `cargo hype run`.

use insta::assert_snapshot;

use crate::hype::hype;
use crate::package::Package;

#[test]
fn program_gets_its_arguments() {
    let output = hype(&["run", "-p", "wordcount", "--", "LICENSE"]).redacted();
    assert_eq!(output.status, 0, "{output}");
    assert_snapshot!(output.stdout, @r#"
    LICENSE: 1607 words, 452 different
       100 the
        69 or
        67 of
        46 and
        40 to
        35 license
        34 work
        30 any
        26 you
        24 for
    "#);
}

#[test]
fn example_of_a_map_finds_lines_in_files() {
    let files = ["/no/such/file", "README.md", "LICENSE"];
    let arguments = [&["run", "-p", "grep", "--", "irrevocable"][..], &files].concat();
    let output = hype(&arguments).redacted();
    assert_eq!(output.status, 0, "{output}");
    let line = "      worldwide, non-exclusive, no-charge, royalty-free, irrevocable";
    assert_eq!(output.stdout, format!("LICENSE:69: {line}\nLICENSE:76: {line}\n"));
    assert!(output.stderr.contains("cannot read /no/such/file"), "{output}");
}

#[test]
fn exit_status_is_that_of_the_program() {
    let output = hype(&["run", "-p", "wordcount", "--", "/no/such/file"]).redacted();
    assert_snapshot!(output, @r#"
    status 1
    --- stderr
    error: cannot read /no/such/file
    Caused by:
       0: No such file or directory (os error 2)
    "#);
}

#[test]
fn package_without_program_is_rejected() {
    assert_snapshot!(hype(&["run", "-p", "hype-wire"]).redacted(), @r#"
    status 2
    --- stderr
    error: `hype-wire` has no program to run
    Hint: write one in its src/main.rs, or call a function: cargo hype call
    "#);
}

#[test]
fn program_for_webassembly_is_rejected() {
    let run = hype(&["run", "-p", "hello"]).with_env("CARGO_BUILD_TARGET", "wasm32-wasip1");
    assert_snapshot!(run.redacted(), @r#"
    status 2
    --- stderr
    error: cargo's configuration builds the program `hello` for wasm32-wasip1, where it can't submit closures
    Hint: remove CARGO_BUILD_TARGET and `[build] target` in .cargo/config.toml: functions are compiled for wasm32-wasip1 without them
    "#);
}

#[test]
fn unknown_program_lists_known_programs() {
    assert_snapshot!(hype(&["run", "-p", "wordcount", "--bin", "count"]).redacted(), @r#"
    status 2
    --- stderr
    error: `wordcount` has no program `count`
    Hint: it has: wordcount
    "#);
}

#[test]
fn workspace_with_several_programs_needs_a_choice() {
    let output = hype(&["run"]).redacted();
    assert_eq!(output.status, 2);
    let lines: Vec<_> = output.stderr.lines().collect();
    assert_eq!(lines[0], "error: several packages of this workspace have programs");
    assert!(
        lines[1].starts_with("Hint: choose one with -p: ") && lines[1].contains("hello"),
        "{output}"
    );
}

#[test]
fn function_with_the_name_of_its_package_gets_a_hint() {
    let library =
        "pub const FIVE: u8 = 5;\n\n#[hype::function]\npub fn same() -> u8 {\n    FIVE\n}\n";
    let main = "use same::{FIVE, same};\n\nfn main() {\n    println!(\"{FIVE} {same:?}\");\n}\n";
    let package = Package::write_program("same", library, main);
    let output = hype(&["run"]).in_program(&package).redacted();
    assert!(output.stderr.contains("no `FIVE` in `same`"), "{output}");
    assert!(
        output.stderr.ends_with(
            "error: the program `same` of `same` doesn't compile\n\
             Hint: see the compiler's errors above; to name the crate and not its function `same`, write `::same`\n"
        ),
        "{output}"
    );
}

const AMBIENT: &str = "\
#[h::main]
async fn main() -> h::Result<()> {
    let five = ambient::five().await?;
    println!(\"{five}\");
    Ok(())
}
";

#[test]
fn submitter_option_reaches_the_program() {
    // The macros find the renamed dependency hype.
    let library = "#[h::function]\npub fn five() -> u8 {\n    5\n}\n";
    let package = Package::write_program("ambient", library, AMBIENT).with_hype_called("h");
    let output = hype(&["run", "--submitter", "local"]).in_program(&package).redacted();
    assert_eq!((output.status, output.stdout.as_str()), (0, "5\n"), "{output}");
    let output = hype(&["run", "--submitter", "abacus"]).in_program(&package).redacted();
    assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{output}");
    assert!(output.stderr.contains("error: there is no submitter `abacus` in this"), "{output}");
}
