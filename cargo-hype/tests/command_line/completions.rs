//! `cargo hype completions`, in the shells that this machine has.

use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use tempfile::TempDir;

use crate::hype::hype;

fn script(shell: &str) -> String {
    let output = hype(&["completions", shell]).output();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Returns a home directory that has the script as the file `name`.
fn home_with_script(shell: &str, name: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, script(shell)).unwrap();
    directory
}

/// Returns the standard output of a shell, which must succeed and print no errors. Returns `None` if this machine lacks
/// the shell.
fn run(shell: &str, arguments: &[&str], home: &Path) -> Option<String> {
    let output = match Command::new(shell).args(arguments).env("HOME", home).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        output => output.unwrap(),
    };
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Completes the last word of command lines in Bash, and prints the results.
const COMPLETE_IN_BASH: &str = r#"
complete_words() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    function=$(complete -p "$1" | sed 's/.* -F \([^ ]*\) .*/\1/')
    "$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "$*: ${COMPREPLY[*]}"
}
"#;

/// The completions of cargo.
const OF_CARGO_IN_BASH: &str = "_of_cargo() { COMPREPLY=(build); }\ncomplete -F _of_cargo cargo\n";

fn complete_in_bash(before: &str, after: &str) -> String {
    let home = home_with_script("bash", "script");
    let text = format!("{before}\n. ~/script\n{COMPLETE_IN_BASH}\n{after}");
    run("bash", &["--norc", "-c", &text], home.path()).unwrap()
}

#[test]
fn bash_completes_cargo_hype_and_leaves_cargo_alone() {
    let lines = "
        complete_words cargo hype do
        complete_words cargo hype doctor --prof
        complete_words cargo-hype ca
        complete_words cargo hype gc --o
        complete_words cargo hype completions b
        complete_words cargo +nightly hype de
        complete_words cargo bui
    ";
    assert_snapshot!(complete_in_bash(OF_CARGO_IN_BASH, lines), @r#"
    cargo hype do: doctor
    cargo hype doctor --prof: --profile
    cargo-hype ca: call cancel
    cargo hype gc --o: --older-than
    cargo hype completions b: bash
    cargo +nightly hype de: describe
    cargo bui: build
    "#);
}

/// bash-completion loads the completions of a command when they are first used.
#[test]
fn completions_of_cargo_that_bash_loads_later_are_used() {
    for loader in ["_comp_load", "__load_completion"] {
        let before = format!("{loader}() {{ {OF_CARGO_IN_BASH} }}");
        let lines =
            "complete_words cargo bui\ncomplete_words cargo hype do\ncomplete_words cargo te";
        assert_eq!(
            complete_in_bash(&before, lines),
            "cargo bui: build\ncargo hype do: doctor\ncargo te: build\n"
        );
    }
}

#[test]
fn script_may_be_read_twice_and_needs_no_completions_of_cargo() {
    let lines = ". ~/script\ncomplete_words cargo bui\ncomplete_words cargo hype do";
    assert_eq!(
        complete_in_bash(OF_CARGO_IN_BASH, lines),
        "cargo bui: build\ncargo hype do: doctor\n"
    );
    assert_eq!(complete_in_bash("", lines), "cargo bui: \ncargo hype do: doctor\n");
}

#[test]
fn fish_completes_cargo_hype_and_leaves_cargo_alone() {
    let home = home_with_script("fish", ".config/fish/conf.d/cargo-hype.fish");
    let lines = "
        complete -c cargo -n __fish_use_subcommand -f -a 'build test'
        for line in 'cargo hype doc' 'cargo hype doctor --prof' 'cargo-hype canc' \
                'cargo hype completions ' 'cargo +nightly hype desc' 'cargo bui'
            echo $line: (complete -C $line | string replace -r '\\t.*' '')
        end
    ";
    let Some(completed) = run("fish", &["-c", lines], home.path()) else { return };
    assert_snapshot!(completed, @r#"
    cargo hype doc: doctor
    cargo hype doctor --prof: --profile
    cargo-hype canc: cancel
    cargo hype completions : bash fish zsh
    cargo +nightly hype desc: describe
    cargo bui: build
    "#);
}

/// Types command lines with a Tab in zsh, whose `cargo` calls `_cargo-SUBCOMMAND` as rustup's does, and prints what they
/// became.
const TYPE_IN_ZSH: &str = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "bindkey -e; fpath=(~ \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w shell "_cargo() { shift words; (( CURRENT-- )); _call_function ret _cargo-\$words[1] }; compdef _cargo cargo"
for line in 'cargo hype doc' 'cargo-hype canc' 'cargo hype gc --ol' 'cargo hype completions b'; do
    zpty -n -w shell "$line"$'\t\x01'"print -r -- 'Comp'leted: '"$'\x05'"'"$'\n'
    zpty -r shell output $'*Completed: *\n'
    print -r -- "$line: ${${output##*Completed: }%%$'\r'*}"
done
"#;

#[test]
fn zsh_completes_cargo_hype() {
    let home = home_with_script("zsh", "_cargo-hype");
    let Some(completed) = run("zsh", &["-f", "-c", TYPE_IN_ZSH], home.path()) else { return };
    assert_snapshot!(completed, @r#"
    cargo hype doc: cargo hype doctor
    cargo-hype canc: cargo-hype cancel
    cargo hype gc --ol: cargo hype gc --older-than
    cargo hype completions b: cargo hype completions bash
    "#);
}
