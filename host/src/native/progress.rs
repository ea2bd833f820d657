//! What happens, told to a person while it happens.
//!
//! All of it is told as `tracing` events and spans, so that a program with a subscriber of its own
//! sees the same. The spans are `run` (fields `run`, `closure`, `attempt`), `upload` (`files`,
//! `bytes`), `compile` (`component`, `platform`) and `pull` (`image`, `layers`).

pub(crate) mod terminal;

mod bars;
mod display;
mod fields;
mod fitting;
mod going;
mod lines;
mod screen;
#[cfg(test)]
mod terminal_of_tests;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Level;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

pub(crate) use crate::progress::display::Display;
#[cfg(feature = "docker")]
pub(crate) use crate::progress::going::size;

use crate::progress::bars::Bars;
use crate::progress::lines::Lines;

/// The target of events that tell what a bar shows, too.
pub(crate) const STEP: &str = "hype::step";

/// The target of events that tell how many `bytes` of an upload are done since the last.
pub(crate) const UPLOADED: &str = "hype::uploaded";

/// The variable by which a person chooses.
const VARIABLE: &str = "HYPE_PROGRESS";

/// What this program was warned of and needn't be again.
static WARNED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Warns of what holds for many runs alike: once.
pub(crate) fn warn_once(warning: String) {
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.insert(warning.clone()) {
        tracing::warn!("{warning}");
    }
}

/// Shows what hype does on the standard error, unless this program has chosen a `tracing` subscriber
/// of its own. [`main`](crate::main) calls it.
///
/// The variable `HYPE_PROGRESS` says how: `auto`, which is the default, shows bars on a terminal and
/// lines elsewhere; `plain` shows lines; `off` shows nothing but warnings and errors.
pub fn show_progress() {
    let value = std::env::var_os(VARIABLE).unwrap_or_default();
    let (choice, problem) = choose(&value.to_string_lossy());
    match choice {
        Choice::Auto if terminal::can_draw() => match Display::start() {
            Ok(display) => {
                if show(Bars::new(Arc::clone(&display))) {
                    terminal::share_with(display);
                }
            }
            // Without a thread nothing is drawn.
            Err(_) => drop(show(Lines(Level::INFO))),
        },
        Choice::Auto | Choice::Plain => drop(show(Lines(Level::INFO))),
        Choice::Off => drop(show(Lines(Level::WARN))),
    }
    if let Some(problem) = problem {
        tracing::warn!("{problem}");
    }
}

/// Whether `layer` is what shows progress now. Another subscriber that was there before is the one
/// that the user wants.
fn show(layer: impl Layer<Registry> + Send + Sync) -> bool {
    tracing::subscriber::set_global_default(Registry::default().with(layer)).is_ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Auto,
    Plain,
    Off,
}

/// What `value` of the variable chooses, and what is wrong with it.
fn choose(value: &str) -> (Choice, Option<String>) {
    let choice = match value {
        "" | "auto" => Choice::Auto,
        "plain" => Choice::Plain,
        "off" => Choice::Off,
        other => {
            let problem = format!(
                "{VARIABLE} is `{other}`, which is taken for `auto`; it can be `auto`, `plain` or `off`"
            );
            return (Choice::Auto, Some(problem));
        }
    };
    (choice, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_chosen_names_what_can() {
        assert_eq!(choose(""), (Choice::Auto, None));
        assert_eq!(choose("plain"), (Choice::Plain, None));
        assert_eq!(choose("off"), (Choice::Off, None));
        let (choice, problem) = choose("on");
        assert_eq!(choice, Choice::Auto);
        assert!(problem.unwrap().ends_with("it can be `auto`, `plain` or `off`"));
    }
}
