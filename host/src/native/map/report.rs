//! The report of a map: what its items took, in numbers whose size doesn't depend on the number of items.
//!
//! - `record`: the end of one item, of which a report is built.
//! - `histogram`, `timeline`, `slowest`, `failures`, `limits`: the parts of a report. `html`: its page.
//! - `recorder`: measures items, and builds the report of a map. `workers`: numbers of the workers of several programs.

mod failures;
mod histogram;
mod html;
mod limits;
mod record;
pub(crate) mod recorder;
mod slowest;
mod timeline;
pub(crate) mod workers;

pub use self::failures::{FailedItem, FailureGroup, ItemFailure};
pub use self::histogram::Histogram;
pub use self::limits::Needs;
pub use self::record::ItemRecord;
pub use self::slowest::SlowItem;
pub use self::timeline::{Span, Timeline};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The times, sizes and failures of a map's items, and the timeline of its workers. [`Map::report`] returns it.
///
/// Its size is bounded, whatever the number of items: histograms, the ten slowest items, the first three failures of each
/// kind, and a [`Timeline`] of at most 20,000 spans. It is a type of serde, and its JSON keeps its form. Durations are in
/// microseconds, sizes in bytes, moments in microseconds since the start of the map.
///
/// ```no_run
/// # async fn run(mut prices: hype::map::Map<f64>) -> hype::Result<()> {
/// use futures::StreamExt;
///
/// while let Some(price) = prices.next().await {
///     println!("{price:?}");
/// }
/// let report = prices.report();
/// println!("{} of {} items failed", report.failed, report.items);
/// report.to_html("report.html")?;
/// # Ok(())
/// # }
/// ```
///
/// [`Map::report`]: crate::map::Map::report
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The name of the first item's function.
    pub function: String,
    /// The start of the map, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// The moment of the last end of an item, or of the report if items are running.
    pub until_us: u64,
    /// The number of items that have ended.
    pub items: u64,
    /// The number of those that failed. A value that the program can't decode is no failure of its item.
    pub failed: u64,
    /// The number of attempts of all items that have ended. An item that failed before it started has none.
    pub attempts: u64,
    /// The times of the items.
    pub times: Times,
    /// The sizes of the items.
    pub sizes: Sizes,
    /// The largest memory and time of an item, from which limits follow.
    pub needs: Needs,
    /// The items that took longest, at most 10, the slowest first.
    pub slowest: Vec<SlowItem>,
    /// The failures by kind.
    pub failures: Vec<FailureGroup>,
    /// The spans of time in which each worker ran items.
    pub timeline: Timeline,
    /// The items that are running, by their workers.
    pub running: BTreeMap<u32, RunningItem>,
    /// The items that are staged, in [`Submitter::map_report`](crate::Submitter::map_report); else `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

/// The items of a staged map, whether they have results or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// The number of items that are staged.
    pub items: u64,
    /// True if all items of the map are staged. Otherwise the map's program may go on, or has ended before the end of its
    /// input.
    pub is_complete: bool,
}

/// The times of items, in microseconds. The histogram of an unknown time is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Times {
    /// The time in which an item waited for a worker.
    pub queue: Histogram,
    /// The time to read the component, the arguments and the files.
    pub fetch: Histogram,
    /// The time to compile the component, or to load its machine code.
    pub compile: Histogram,
    /// The time to set up the sandbox and the instance.
    pub start: Histogram,
    /// The time of the call.
    pub run: Histogram,
    /// The processor time of the call.
    pub cpu: Histogram,
    /// The time to write the value to the stage.
    pub upload: Histogram,
}

/// The sizes of items, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Sizes {
    /// The encoded arguments.
    pub arguments: Histogram,
    /// The encoded values of the items that succeeded.
    pub values: Histogram,
    /// The peak memory of the guests.
    pub memory: Histogram,
}

/// An item that is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunningItem {
    /// The index of the item.
    pub item: u64,
    /// The moment of its start.
    pub from_us: u64,
}

impl Report {
    /// Records that `worker` began to run an item.
    pub(crate) fn begin(&mut self, worker: u32, item: u64, from_us: u64) {
        self.running.insert(worker, RunningItem { item, from_us });
    }

    /// Returns the first worker that runs no item.
    pub(crate) fn free_worker(&self) -> u32 {
        let busy = self.running.keys();
        (0..)
            .zip(busy)
            .find(|(number, worker)| number != *worker)
            .map_or(self.running.len() as u32, |(number, _)| number)
    }

    /// Adds the end of an item.
    ///
    /// ```
    /// use hype::map::{ItemRecord, Report};
    ///
    /// let mut report = Report::default();
    /// let mut item = ItemRecord::new(17);
    /// item.arguments = 200;
    /// report.record(item);
    /// assert_eq!((report.items, report.sizes.arguments.sum()), (1, 200));
    /// ```
    pub fn record(&mut self, item: ItemRecord) {
        self.items += 1;
        self.failed += u64::from(item.failure.is_some());
        self.attempts += u64::from(item.attempts);
        self.until_us = self.until_us.max(item.until_us);
        self.sizes.record(&item);
        let failure = item.failure.as_ref().map(|failure| failure.kind.as_str());
        if item.attempts > 0 {
            self.times.record(&item);
            self.needs.record(item.statistics.as_ref(), failure);
            slowest::record(&mut self.slowest, &item);
        }
        if let Some(worker) = item.worker {
            self.running.remove(&worker);
            self.timeline.record(worker, item.span());
        }
        if let Some(failure) = item.failure {
            failures::record(&mut self.failures, item.item, item.worker, failure);
        }
    }
}

impl Times {
    fn record(&mut self, item: &ItemRecord) {
        self.queue.record(item.from_us.saturating_sub(item.queued_us));
        let Some(statistics) = &item.statistics else { return };
        self.start.record(statistics.start_us);
        self.run.record(statistics.run_us);
        let sometimes = [
            (&mut self.fetch, statistics.fetch_us),
            (&mut self.compile, statistics.compile_us),
            (&mut self.cpu, statistics.cpu_us),
            (&mut self.upload, statistics.upload_us),
        ];
        for (histogram, time) in sometimes.into_iter().filter(|(_, time)| *time > 0) {
            histogram.record(time);
        }
    }
}

impl Sizes {
    fn record(&mut self, item: &ItemRecord) {
        self.arguments.record(item.arguments);
        if item.failure.is_none() {
            self.values.record(item.value);
        }
        if let Some(statistics) = &item.statistics
            && statistics.peak_memory > 0
        {
            self.memory.record(statistics.peak_memory);
        }
    }
}

#[cfg(test)]
mod tests;
