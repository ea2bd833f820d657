//! `cargo hype run`.

use insta::assert_snapshot;

use crate::hype::hype;
use crate::package::Package;

#[test]
fn the_program_runs_with_its_arguments() {
    let seen = hype(&["run", "-p", "wordcount", "--", "LICENSE"]).seen();
    assert_eq!(seen.status, 0, "{seen}");
    assert_snapshot!(seen.stdout, @r#"
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
fn the_status_is_the_programs() {
    let seen = hype(&["run", "-p", "wordcount", "--", "/no/such/file"]).seen();
    assert_snapshot!(seen, @r#"
    status 1
    --- stderr
    error: cannot read /no/such/file
    Caused by:
       0: No such file or directory (os error 2)
    "#);
}

#[test]
fn a_package_without_a_program_is_refused() {
    assert_snapshot!(hype(&["run", "-p", "hype-wire"]).seen(), @r#"
    status 2
    --- stderr
    error: `hype-wire` has no program to run
    Hint: write one in its src/main.rs, or call a function: cargo hype call
    "#);
}

#[test]
fn a_program_is_not_built_for_webassembly() {
    let run = hype(&["run", "-p", "hello"]).with_env("CARGO_BUILD_TARGET", "wasm32-wasip1");
    assert_snapshot!(run.seen(), @r#"
    status 2
    --- stderr
    error: cargo's configuration has the program `hello` built for wasm32-wasip1, where it can't submit anything
    Hint: take CARGO_BUILD_TARGET and `[build] target` of .cargo/config.toml away: functions are compiled for wasm32-wasip1 without them
    "#);
}

#[test]
fn an_unknown_program_is_answered_with_those_that_there_are() {
    assert_snapshot!(hype(&["run", "-p", "wordcount", "--bin", "count"]).seen(), @r#"
    status 2
    --- stderr
    error: `wordcount` has no program `count`
    Hint: it has: wordcount
    "#);
}

#[test]
fn a_workspace_with_several_programs_asks_for_one() {
    let seen = hype(&["run"]).seen();
    assert_eq!(seen.status, 2);
    let lines: Vec<_> = seen.stderr.lines().collect();
    assert_eq!(lines[0], "error: several packages of this workspace have programs");
    assert!(
        lines[1].starts_with("Hint: choose one with -p: ") && lines[1].contains("hello"),
        "{seen}"
    );
}

#[test]
fn a_function_of_its_packages_name_is_told_from_the_package() {
    let library =
        "pub const FIVE: u8 = 5;\n\n#[hype::function]\npub fn same() -> u8 {\n    FIVE\n}\n";
    let main = "use same::{FIVE, same};\n\nfn main() {\n    println!(\"{FIVE} {same:?}\");\n}\n";
    let package = Package::write_program("same", library, main);
    let seen = hype(&["run"]).in_program(&package).seen();
    assert!(seen.stderr.contains("no `FIVE` in `same`"), "{seen}");
    assert!(
        seen.stderr.ends_with(
            "error: the program `same` of `same` doesn't compile\n\
             Hint: what cargo says above is why; where `same` means the package and not its function `same`, \
             write `::same`\n"
        ),
        "{seen}"
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
fn the_programs_submitter_can_be_chosen() {
    // Its dependency hype has another name, which the macros find.
    let library = "#[h::function]\npub fn five() -> u8 {\n    5\n}\n";
    let package = Package::write_program("ambient", library, AMBIENT).with_hype_called("h");
    let seen = hype(&["run", "--submitter", "local"]).in_program(&package).seen();
    assert_eq!((seen.status, seen.stdout.as_str()), (0, "5\n"), "{seen}");
    let seen = hype(&["run", "--submitter", "abacus"]).in_program(&package).seen();
    assert_eq!((seen.status, seen.stdout.as_str()), (2, ""), "{seen}");
    assert!(seen.stderr.contains("error: there is no submitter `abacus` in this"), "{seen}");
}
