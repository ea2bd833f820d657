//! Writes the `log` records of a closure to standard error, one line for each.
//!
//! The feature `log` enables it, since a program can have only one logger and users may install their own. With the
//! feature `tracing`, events of `tracing` become records, and so do starts of spans with fields.

use log::{LevelFilter, Log, Metadata, Record};

/// The variable with the log filter, in the syntax of `env_logger`: `info`, or `my_crate=debug,warn`.
#[cfg(target_family = "wasm")]
const VARIABLE: &str = "RUST_LOG";

/// A logger that writes records to standard error.
struct Logger {
    filter: Filter,
}

/// The maximum level for each target prefix, the longest prefix first.
#[derive(Debug, PartialEq)]
struct Filter(Vec<(String, LevelFilter)>);

/// Installs the logger, unless the user has installed one.
#[cfg(target_family = "wasm")]
pub(crate) fn install() {
    let filter = Filter::parse(&std::env::var(VARIABLE).unwrap_or_default());
    let max_level = filter.max_level();
    if log::set_logger(Box::leak(Box::new(Logger { filter }))).is_ok() {
        log::set_max_level(max_level);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.filter.level(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        // Records about the lifecycle of spans are not messages of the user.
        if self.enabled(record.metadata()) && !record.target().starts_with("tracing::span") {
            eprintln!("{} {}: {}", record.level(), record.target(), record.args());
        }
    }

    fn flush(&self) {}
}

impl Filter {
    /// Parses a filter. Skips invalid parts; defaults to `info`.
    fn parse(text: &str) -> Self {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let mut levels: Vec<_> = parts
            .filter_map(|part| match part.split_once('=') {
                Some((target, level)) => Some((target.to_owned(), level.parse().ok()?)),
                None => Some(match part.parse() {
                    Ok(level) => (String::new(), level),
                    Err(_) => (part.to_owned(), LevelFilter::Trace),
                }),
            })
            .collect();
        if levels.is_empty() {
            levels.push((String::new(), LevelFilter::Info));
        }
        levels.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        Self(levels)
    }

    fn level(&self, target: &str) -> LevelFilter {
        let matches = |entry: &&(String, LevelFilter)| {
            let rest = target.strip_prefix(entry.0.as_str());
            entry.0.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        self.0.iter().find(matches).map_or(LevelFilter::Off, |(_, level)| *level)
    }

    fn max_level(&self) -> LevelFilter {
        self.0.iter().map(|(_, level)| *level).max().unwrap_or(LevelFilter::Off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_matching_target_applies() {
        let filter = Filter::parse("warn, train=info,train::step=trace,quiet=off,loud");
        assert_eq!(filter.level("train"), LevelFilter::Info);
        assert_eq!(filter.level("train::step::inner"), LevelFilter::Trace);
        assert_eq!(filter.level("trainer"), LevelFilter::Warn);
        assert_eq!(filter.level("quiet"), LevelFilter::Off);
        assert_eq!(filter.level("loud"), LevelFilter::Trace);
        assert_eq!(filter.max_level(), LevelFilter::Trace);
    }

    #[test]
    fn default_level_is_info() {
        assert_eq!(Filter::parse(""), Filter::parse("info"));
        assert_eq!(Filter::parse("train=debug").level("other"), LevelFilter::Off);
        assert_eq!(Filter::parse("train=much,debug").level("train"), LevelFilter::Debug);
        let logger = Logger { filter: Filter::parse("a=warn") };
        let metadata = |level| Metadata::builder().level(level).target("a::b").build();
        assert!(logger.enabled(&metadata(log::Level::Warn)));
        assert!(!logger.enabled(&metadata(log::Level::Info)));
    }
}
