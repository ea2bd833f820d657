//! Progress as plain lines, for output that isn't a terminal.

use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer};

use crate::progress::fields::{Fields, is_reported};
use crate::progress::terminal;

/// A layer that writes hype's events from this level on, one line each.
pub(crate) struct Lines(pub(crate) Level);

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_reported(metadata, self.0)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.into())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        terminal::write(&format!("hype: {}\n", fields.text("message")));
    }
}
