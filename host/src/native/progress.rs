//! Progress of runs, displayed on the standard error.
//!
//! hype reports progress as `tracing` events and spans, so that a program with a custom subscriber receives the same.
//! The spans are `run` (fields `run`, `closure`, `attempt`), `map` (`function`, `items`, `done`, `failed`, `running`), `upload` (`files`, `bytes`), `compile` (`component`,
//! `platform`) and `pull` (`image`, `layers`).

pub(crate) mod terminal;

mod activity;
mod bars;
mod display;
mod fields;
mod fit;
mod lines;
mod screen;
#[cfg(test)]
mod test_terminal;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Level;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

pub(crate) use crate::progress::activity::elapsed;
#[cfg(feature = "docker")]
pub(crate) use crate::progress::activity::size;
pub(crate) use crate::progress::display::Display;

use crate::progress::bars::Bars;
use crate::progress::lines::Lines;

/// The target of events about steps that bars also display, so that terminals with bars leave the events out.
pub(crate) const STEP: &str = "hype::step";

/// The target of events with the number of `bytes` uploaded since the last event.
pub(crate) const UPLOADED: &str = "hype::uploaded";

/// The environment variable that selects the form of the output.
const VARIABLE: &str = "HYPE_PROGRESS";

/// The warnings that [`warn_once`] has logged.
static WARNED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Logs a warning once in this process. Use it for warnings that many runs cause.
pub(crate) fn warn_once(warning: String) {
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.insert(warning.clone()) {
        tracing::warn!("{warning}");
    }
}

/// Displays the progress of runs on the standard error, unless this program has installed a `tracing` subscriber.
/// [`main`](crate::main) calls it.
///
/// The variable `HYPE_PROGRESS` selects the form: `auto`, the default, displays bars on a terminal and lines otherwise;
/// `plain` displays lines; `off` displays only warnings and errors.
///
/// ```no_run
/// fn main() -> hype::Result<()> {
///     hype::show_progress();
///     let submitter = hype::blocking::Submitter::ambient()?;
///     // ..
///     submitter.close()
/// }
/// ```
pub fn show_progress() {
    let value = std::env::var_os(VARIABLE).unwrap_or_default();
    let (form, problem) = parse_form(&value.to_string_lossy());
    match form {
        ProgressForm::Auto if terminal::can_draw() => match Display::start() {
            Ok(display) => {
                if install(Bars::new(Arc::clone(&display))) {
                    terminal::share_with(display);
                }
            }
            // Bars need a thread.
            Err(_) => drop(install(Lines(Level::INFO))),
        },
        ProgressForm::Auto | ProgressForm::Plain => drop(install(Lines(Level::INFO))),
        ProgressForm::Off => drop(install(Lines(Level::WARN))),
    }
    if let Some(problem) = problem {
        tracing::warn!("{problem}");
    }
}

/// Displays only warnings and errors, unless the variable `HYPE_PROGRESS` selects a form. A later [`show_progress`] has no
/// effect then.
pub fn show_warnings() {
    if std::env::var_os(VARIABLE).is_none() {
        install(Lines(Level::WARN));
    }
}

/// Installs `layer` as the subscriber of this process, unless the program has installed one, and returns whether it
/// did.
fn install(layer: impl Layer<Registry> + Send + Sync) -> bool {
    tracing::subscriber::set_global_default(Registry::default().with(layer)).is_ok()
}

/// The form in which progress is displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProgressForm {
    Auto,
    Plain,
    Off,
}

/// Parses the value of the variable. Returns a warning if it is invalid.
fn parse_form(value: &str) -> (ProgressForm, Option<String>) {
    let form = match value {
        "" | "auto" => ProgressForm::Auto,
        "plain" => ProgressForm::Plain,
        "off" => ProgressForm::Off,
        other => {
            let warning = format!(
                "{VARIABLE} is `{other}`, which is treated as `auto`; it can be `auto`, `plain` or `off`"
            );
            return (ProgressForm::Auto, Some(warning));
        }
    };
    (form, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_form_is_auto_with_a_warning() {
        assert_eq!(parse_form(""), (ProgressForm::Auto, None));
        assert_eq!(parse_form("plain"), (ProgressForm::Plain, None));
        assert_eq!(parse_form("off"), (ProgressForm::Off, None));
        let (form, warning) = parse_form("on");
        assert_eq!(form, ProgressForm::Auto);
        assert!(warning.unwrap().ends_with("it can be `auto`, `plain` or `off`"));
    }
}
