//! What happens, told to a person while it happens.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

/// Writes what hype does to the standard error, a line each, unless this program has chosen a
/// `tracing` subscriber of its own. [`main`](crate::main) calls it.
pub fn show_progress() {
    // Another subscriber was there before, and then it is the one that the user wants.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(Lines));
}

struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || !metadata.target().starts_with("hype") {
            return;
        }
        let mut line = Line(String::from("hype: "));
        event.record(&mut line);
        line.0.push('\n');
        // Progress that nobody can read is no reason to stop.
        let _ = std::io::stderr().write_all(line.0.as_bytes());
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}
