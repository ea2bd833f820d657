//! Progress as lines, for what is read later or elsewhere.

use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer};

use crate::progress::fields::{Fields, is_told};
use crate::progress::terminal;

/// Writes events of hype from this level on, a line each.
pub(crate) struct Lines(pub(crate) Level);

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_told(metadata, self.0)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.into())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        say(event);
    }
}

/// Writes the message of `event`.
pub(crate) fn say(event: &Event<'_>) {
    let mut fields = Fields::default();
    event.record(&mut fields);
    terminal::say(&format!("hype: {}\n", fields.text("message")));
}
