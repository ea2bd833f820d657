//! The end of one item, of which a report is built.

use hype_wire::Statistics;

use super::failures::ItemFailure;
use super::timeline::Span;

/// The end of one item of a map. Moments are in microseconds since the start of the map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemRecord {
    /// The index of the item.
    pub item: u64,
    /// The worker that ran it; `None` if none did.
    pub worker: Option<u32>,
    /// The number of attempts; 0 if it never started.
    pub attempts: u32,
    /// The moment from which it waited for a worker.
    pub queued_us: u64,
    /// The moment of its start.
    pub from_us: u64,
    /// The moment of its end.
    pub until_us: u64,
    /// The size of its encoded arguments, in bytes.
    pub arguments: u64,
    /// The size of its encoded value, in bytes.
    pub value: u64,
    /// The durations and sizes of its last attempt, if they are known.
    pub statistics: Option<Statistics>,
    /// Its failure, if it has no value.
    pub failure: Option<ItemFailure>,
}

impl ItemRecord {
    /// Returns the record of an item that ended with an empty value in no time.
    pub fn new(item: u64) -> Self {
        Self { item, ..Self::default() }
    }

    /// Returns the time from the start of the item to its end.
    pub(super) fn took_us(&self) -> u64 {
        self.until_us.saturating_sub(self.from_us)
    }

    pub(super) fn span(&self) -> Span {
        Span {
            from_us: self.from_us,
            until_us: self.until_us.max(self.from_us),
            item: self.item,
            items: 1,
            failed: u64::from(self.failure.is_some()),
            idle_us: 0,
        }
    }
}
