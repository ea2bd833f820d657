//! Fields of events and spans, as text without characters that a terminal acts on.

use std::collections::BTreeMap;
use std::fmt;

use hype_wire::printable;
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata};

/// The fields of one event or span.
#[derive(Debug, Default)]
pub(crate) struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    /// Returns the field called `name`, or an empty text if it doesn't exist.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Returns the field called `name` as a number, or 0 if it doesn't exist or isn't a number.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.present(name).unwrap_or_default()
    }

    /// Returns the field called `name` as a number, if it exists and is a number.
    pub(crate) fn present(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok()
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), printable(&format!("{value:?}")).into_owned());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), printable(value).into_owned());
    }
}

/// Returns whether an event or span belongs to hype and has at least the importance of `level`.
pub(crate) fn is_reported(metadata: &Metadata<'_>, level: Level) -> bool {
    *metadata.level() <= level && metadata.target().starts_with("hype")
}
