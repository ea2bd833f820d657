//! Shell completions for `cargo hype` and `cargo-hype`.

use clap::{Command, ValueEnum};
use clap_complete::{Shell, generate};

use crate::error::{Error, Result};

/// The name of the program.
const PROGRAM: &str = "cargo-hype";

/// The name of the program in the script for Bash, in which clap_complete confuses `-` with the end of a command.
const PROGRAM_IN_BASH: &str = "cargo_hype";

/// A shell with completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompletedShell {
    Bash,
    Zsh,
    Fish,
}

/// Completes `cargo hype` in Bash like `cargo-hype`, and leaves everything else to the completions of cargo.
/// bash-completion loads these when they are first used, and not at all if `cargo` has other completions.
const OF_CARGO_IN_BASH: &str = r#"
complete -F _cargo_hype -o bashdefault -o default cargo-hype
_cargo_hype_replace_cargo() {
    local registered
    registered=$(complete -p cargo 2>/dev/null | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
    if [[ -n $registered && $registered != _cargo_or_hype ]]; then
        _cargo_hype_of_cargo=$registered
    fi
    complete -F _cargo_or_hype -o bashdefault -o default cargo
}
_cargo_or_hype() {
    local first=1 load
    [[ ${COMP_WORDS[1]} == +* ]] && first=2
    if [[ ${COMP_WORDS[first]} == hype && $COMP_CWORD -gt $first ]]; then
        COMP_WORDS=(cargo-hype "${COMP_WORDS[@]:first + 1}")
        COMP_CWORD=$((COMP_CWORD - first))
        _cargo_hype cargo-hype "$2" "$3"
        return
    fi
    if [[ -z ${_cargo_hype_of_cargo-} ]]; then
        for load in _comp_load __load_completion; do
            if declare -F "$load" >/dev/null; then
                "$load" cargo
                break
            fi
        done
        _cargo_hype_replace_cargo
    fi
    if [[ -n ${_cargo_hype_of_cargo-} ]]; then
        "$_cargo_hype_of_cargo" "$@"
    fi
}
_cargo_hype_replace_cargo
"#;

/// Completes `cargo hype` in fish like `cargo-hype`, and the shells, which clap_complete leaves out.
const OF_CARGO_IN_FISH: &str = r#"
complete -c cargo-hype -n "__fish_seen_subcommand_from completions" -f -a "bash zsh fish"
complete -c cargo -n "__fish_seen_subcommand_from hype" -f -a "(complete -C (string replace -r '^\s*cargo\s+(\+\S+\s+)?hype' 'cargo-hype' -- (commandline -cp)))"
"#;

/// Returns the script that defines the completions of `command` for `shell`. zsh's completions of cargo find those of
/// its subcommands by themselves.
///
/// # Errors
///
/// If the script is not text.
pub(crate) fn script(command: Command, shell: CompletedShell) -> Result<String> {
    let (generator, name, of_cargo) = match shell {
        CompletedShell::Bash => (Shell::Bash, PROGRAM_IN_BASH, OF_CARGO_IN_BASH),
        CompletedShell::Zsh => (Shell::Zsh, PROGRAM, ""),
        CompletedShell::Fish => (Shell::Fish, PROGRAM, OF_CARGO_IN_FISH),
    };
    // The name of the command for its help has a space, which names of shell functions can't have.
    let mut command = command.name(name);
    let mut script = Vec::new();
    generate(generator, &mut command, name, &mut script);
    let script = String::from_utf8(script)
        .map_err(|error| Error::machinery("cannot write the completions").because(error))?;
    Ok(format!("{}\n{of_cargo}", script.trim_end()))
}
