//! The items of a map that took longest.

use serde::{Deserialize, Serialize};

use super::record::ItemRecord;

/// The number of items that are kept.
const KEPT: usize = 10;

/// One of the items that took longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlowItem {
    /// The index of the item.
    pub item: u64,
    /// The worker that ran it.
    pub worker: Option<u32>,
    /// The number of attempts.
    pub attempts: u32,
    /// The moment of its start.
    pub from_us: u64,
    /// The time from its start to its end, with all attempts.
    pub took_us: u64,
    /// The processor time of its last attempt, or 0.
    pub cpu_us: u64,
    /// The peak memory of its last attempt, or 0.
    pub memory: u64,
    /// The kind of its failure, if it failed.
    pub failure: Option<String>,
}

/// Adds an item, if it is one of the slowest.
pub(super) fn record(slowest: &mut Vec<SlowItem>, item: &ItemRecord) {
    let took_us = item.took_us();
    let position = slowest.partition_point(|slower| slower.took_us >= took_us);
    if position >= KEPT {
        return;
    }
    let statistics = item.statistics.as_ref();
    let slow = SlowItem {
        item: item.item,
        worker: item.worker,
        attempts: item.attempts,
        from_us: item.from_us,
        took_us,
        cpu_us: statistics.map_or(0, |statistics| statistics.cpu_us),
        memory: statistics.map_or(0, |statistics| statistics.peak_memory),
        failure: item.failure.as_ref().map(|failure| failure.kind.clone()),
    };
    slowest.insert(position, slow);
    slowest.truncate(KEPT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_slowest_items_are_kept_in_order() {
        let mut slowest = Vec::new();
        for number in 0..1000 {
            let mut item = ItemRecord::new(number);
            item.until_us = number * 7 % 1000;
            record(&mut slowest, &item);
        }
        let times: Vec<_> = slowest.iter().map(|slow| slow.took_us).collect();
        assert_eq!(times, (990..1000).rev().collect::<Vec<_>>());
        assert!(slowest.iter().all(|slow| slow.item * 7 % 1000 == slow.took_us));
    }
}
