//! Where a closure's `log` records go: to its standard error, a line each.
//!
//! It is there only with the feature `log`, since a program can have one logger, and one of the user's
//! own must still find the place free. With the feature `tracing`, events of `tracing` become records,
//! and so does the beginning of a span that has fields.

use log::{LevelFilter, Log, Metadata, Record};

/// The variable that says what is logged, as for `env_logger`: `info`, or `my_crate=debug,warn`.
#[cfg(target_family = "wasm")]
const VARIABLE: &str = "RUST_LOG";

/// Writes records to the standard error.
struct Logger {
    choice: Choice,
}

/// Which records are written: from which level on, by the beginning of their target.
#[derive(Debug, PartialEq)]
struct Choice(Vec<(String, LevelFilter)>);

/// Makes ours the logger, unless there is one.
#[cfg(target_family = "wasm")]
pub(crate) fn install() {
    let choice = Choice::of(&std::env::var(VARIABLE).unwrap_or_default());
    let most = choice.most();
    // Another that was there before is the one that the user wants.
    if log::set_logger(Box::leak(Box::new(Logger { choice }))).is_ok() {
        log::set_max_level(most);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.choice.level(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        // The life of spans is none of the user's messages.
        if self.enabled(record.metadata()) && !record.target().starts_with("tracing::span") {
            eprintln!("{} {}: {}", record.level(), record.target(), record.args());
        }
    }

    fn flush(&self) {}
}

impl Choice {
    /// What `text` says; parts that say nothing are left out.
    fn of(text: &str) -> Self {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let mut choices: Vec<_> = parts
            .filter_map(|part| match part.split_once('=') {
                Some((target, level)) => Some((target.to_owned(), level.parse().ok()?)),
                None => Some(match part.parse() {
                    Ok(level) => (String::new(), level),
                    Err(_) => (part.to_owned(), LevelFilter::Trace),
                }),
            })
            .collect();
        if choices.is_empty() {
            choices.push((String::new(), LevelFilter::Info));
        }
        // The longest that fits counts.
        choices.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        Self(choices)
    }

    fn level(&self, target: &str) -> LevelFilter {
        let fits = |choice: &&(String, LevelFilter)| {
            let rest = target.strip_prefix(choice.0.as_str());
            choice.0.is_empty()
                || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        self.0.iter().find(fits).map_or(LevelFilter::Off, |(_, level)| *level)
    }

    fn most(&self) -> LevelFilter {
        self.0.iter().map(|(_, level)| *level).max().unwrap_or(LevelFilter::Off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_target_that_fits_counts() {
        let choice = Choice::of("warn, train=info,train::step=trace,quiet=off,loud");
        assert_eq!(choice.level("train"), LevelFilter::Info);
        assert_eq!(choice.level("train::step::inner"), LevelFilter::Trace);
        assert_eq!(choice.level("trainer"), LevelFilter::Warn);
        assert_eq!(choice.level("quiet"), LevelFilter::Off);
        assert_eq!(choice.level("loud"), LevelFilter::Trace);
        assert_eq!(choice.most(), LevelFilter::Trace);
    }

    #[test]
    fn without_a_choice_it_is_info() {
        assert_eq!(Choice::of(""), Choice::of("info"));
        assert_eq!(Choice::of("train=debug").level("other"), LevelFilter::Off);
        assert_eq!(Choice::of("train=much,debug").level("train"), LevelFilter::Debug);
        let logger = Logger { choice: Choice::of("a=warn") };
        let metadata = |level| Metadata::builder().level(level).target("a::b").build();
        assert!(logger.enabled(&metadata(log::Level::Warn)));
        assert!(!logger.enabled(&metadata(log::Level::Info)));
    }
}
