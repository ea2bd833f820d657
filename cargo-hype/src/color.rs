//! The choice between coloured and plain output, by `--color`, `NO_COLOR` and the terminal.

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ValueEnum;

/// When to colour output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Also in a pipe
    Always,
    /// Never
    Never,
}

/// A colour of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Color {
    Red,
    Green,
    Yellow,
}

/// The choice of the command line.
static WHEN: OnceLock<When> = OnceLock::new();

/// Sets the choice of the command line. Only the first call has an effect.
pub(crate) fn choose(when: When) {
    WHEN.get_or_init(|| when);
}

/// Returns whether `output` is coloured.
pub(crate) fn is_on(output: &impl IsTerminal) -> bool {
    decide(chosen(), output.is_terminal(), |name| std::env::var(name).ok())
}

/// Returns the value of `CARGO_TERM_COLOR` for cargo, if it differs from the user's.
pub(crate) fn of_cargo() -> Option<&'static str> {
    cargo_value(chosen(), |name| std::env::var(name).ok())
}

fn chosen() -> When {
    WHEN.get().copied().unwrap_or_default()
}

fn decide(when: When, is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
            is_terminal && !is_dumb && !has_no_color(variable)
        }
    }
}

fn cargo_value(when: When, variable: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    match when {
        When::Always => Some("always"),
        When::Never => Some("never"),
        When::Auto => {
            (variable("CARGO_TERM_COLOR").is_none() && has_no_color(variable)).then_some("never")
        }
    }
}

/// Returns whether `NO_COLOR` is set and not empty, as no-color.org defines it.
fn has_no_color(variable: impl Fn(&str) -> Option<String>) -> bool {
    variable("NO_COLOR").is_some_and(|value| !value.is_empty())
}

impl Color {
    /// Returns `text` in this colour.
    pub(crate) fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
        };
        format!("\x1b[1;{code}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(set: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + Copy + 'a {
        move |name| set.iter().find(|(known, _)| *known == name).map(|(_, it)| (*it).to_owned())
    }

    #[test]
    fn option_overrides_no_color_and_terminal() {
        let none = of(&[]);
        let no_color = of(&[("NO_COLOR", "1")]);
        assert!(decide(When::Auto, true, none) && !decide(When::Auto, false, none));
        assert!(!decide(When::Auto, true, no_color));
        assert!(decide(When::Auto, true, of(&[("NO_COLOR", "")])));
        assert!(!decide(When::Auto, true, of(&[("TERM", "dumb")])));
        assert!(decide(When::Always, false, no_color));
        assert!(!decide(When::Never, true, none));
    }

    #[test]
    fn cargo_follows_no_color_unless_its_own_variable_is_set() {
        assert_eq!(cargo_value(When::Auto, of(&[])), None);
        assert_eq!(cargo_value(When::Auto, of(&[("NO_COLOR", "1")])), Some("never"));
        let both = of(&[("NO_COLOR", "1"), ("CARGO_TERM_COLOR", "always")]);
        assert_eq!(cargo_value(When::Auto, both), None);
        assert_eq!(cargo_value(When::Always, both), Some("always"));
        assert_eq!(cargo_value(When::Never, both), Some("never"));
    }
}
