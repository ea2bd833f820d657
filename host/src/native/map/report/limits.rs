//! The limits of an environment that would have sufficed for the items of a map.

use std::time::Duration;

use hype_wire::Statistics;
use serde::{Deserialize, Serialize};

/// The unit of recommended memory, in bytes.
const MEMORY_UNIT: u64 = 1 << 20;

/// The largest memory and time of a map's items, and the number of items that reached a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Needs {
    /// The peak memory of the item that needed most, in bytes; `None` if it is unknown.
    pub memory: Option<u64>,
    /// The time of the item that took longest, in microseconds: its start and its call, without waiting for a worker.
    pub time_us: Option<u64>,
    /// The number of items that reached the memory limit. They need more than `memory`.
    pub out_of_memory: u64,
    /// The number of items that reached the timeout. They need more than `time_us`.
    pub timed_out: u64,
}

impl Needs {
    pub(super) fn record(&mut self, statistics: Option<&Statistics>, failure: Option<&str>) {
        match failure {
            Some("memory") => self.out_of_memory += 1,
            Some("deadline") => self.timed_out += 1,
            _ => {
                let memory = statistics.map(|statistics| statistics.peak_memory);
                self.memory = self.memory.max(memory.filter(|memory| *memory > 0));
                let time = |it: &Statistics| it.start_us.saturating_add(it.run_us);
                let time = statistics.map(time);
                self.time_us = self.time_us.max(time);
            }
        }
    }

    /// Returns a limit for [`RunEnvironment::with_memory`](crate::RunEnvironment::with_memory) that would have sufficed,
    /// in bytes: a quarter more than the item that needed most, in whole MiB. `None` if its need is unknown, as it is if an
    /// item reached the limit.
    pub fn memory_limit(&self) -> Option<u64> {
        let memory = self.memory.filter(|_| self.out_of_memory == 0)?;
        let memory = memory.saturating_add(memory / 4);
        Some(memory.div_ceil(MEMORY_UNIT).saturating_mul(MEMORY_UNIT))
    }

    /// Returns a timeout for [`Map::with_item_timeout`](crate::map::Map::with_item_timeout) that would have sufficed:
    /// twice the time of the item that took longest, in whole seconds. `None` if its time is unknown, as it is if an item
    /// reached the timeout.
    pub fn timeout(&self) -> Option<Duration> {
        let time_us = self.time_us.filter(|_| self.timed_out == 0)?;
        let time = Duration::from_micros(time_us.saturating_mul(2));
        Some(Duration::from_secs(time.as_millis().div_ceil(1000).max(1) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_leave_room_above_the_largest_need() {
        let mut needs = Needs::default();
        assert_eq!((needs.memory_limit(), needs.timeout()), (None, None));
        for (start_us, run_us, peak_memory) in [(100, 900, 5 << 20), (400_000, 800_000, 8 << 20)] {
            let statistics = Statistics { start_us, run_us, peak_memory, ..Statistics::default() };
            needs.record(Some(&statistics), None);
        }
        assert_eq!(needs.memory_limit(), Some(10 << 20));
        assert_eq!(needs.timeout(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn item_that_reached_a_limit_does_not_count_as_a_need() {
        let mut needs = Needs::default();
        let statistics = Statistics { run_us: 9, peak_memory: 64 << 20, ..Statistics::default() };
        needs.record(Some(&statistics), Some("memory"));
        needs.record(Some(&statistics), Some("deadline"));
        assert_eq!((needs.out_of_memory, needs.timed_out), (1, 1));
        assert_eq!((needs.memory, needs.time_us), (None, None));
        needs.record(Some(&statistics), Some("panic"));
        assert_eq!((needs.memory, needs.time_us), (Some(64 << 20), Some(9)));
        assert_eq!((needs.memory_limit(), needs.timeout()), (None, None));
    }
}
