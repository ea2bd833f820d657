use serde::{Deserialize, Serialize};

/// The moments of an item of a map, and the worker that ran it. It is encoded as an array, since a map has many.
///
/// ```
/// use hype_wire::ItemTimes;
///
/// let times = ItemTimes { worker: Some(3), queued_us: 10, waited_us: 5, took_us: 400 };
/// assert_eq!((times.from_us(), times.until_us()), (15, 415));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Encoded", into = "Encoded")]
pub struct ItemTimes {
    /// The worker that ran it, among those of its program; `None` if none did.
    pub worker: Option<u32>,
    /// The moment from which it waited for a worker, in microseconds since the start of the map.
    pub queued_us: u64,
    /// The time that it waited for a worker, in microseconds.
    pub waited_us: u64,
    /// The time from its start to its end with all attempts, in microseconds.
    pub took_us: u64,
}

/// The fields in their order.
type Encoded = (Option<u32>, u64, u64, u64);

impl ItemTimes {
    /// Returns the moment of the start, in microseconds since the start of the map.
    pub fn from_us(&self) -> u64 {
        self.queued_us.saturating_add(self.waited_us)
    }

    /// Returns the moment of the end, in microseconds since the start of the map.
    pub fn until_us(&self) -> u64 {
        self.from_us().saturating_add(self.took_us)
    }
}

impl From<Encoded> for ItemTimes {
    fn from((worker, queued_us, waited_us, took_us): Encoded) -> Self {
        Self { worker, queued_us, waited_us, took_us }
    }
}

impl From<ItemTimes> for Encoded {
    fn from(times: ItemTimes) -> Self {
        (times.worker, times.queued_us, times.waited_us, times.took_us)
    }
}
