//! Measures the items of a map, and builds its report.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hype_wire::{ItemTimes, Statistics};

use super::workers::Workers;
use super::{ItemFailure, ItemRecord, Report};
use crate::error::Error;
use crate::map::progress::Counts;

/// Returns the index that an item has in the report.
type Renumber = Box<dyn Fn(u64) -> u64 + Send + Sync>;

/// The recorder of a map. Clones share one report.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Inner>);

#[derive(Default)]
struct Inner {
    started: OnceLock<Start>,
    /// The name of the first item's function.
    function: OnceLock<String>,
    renumber: OnceLock<Renumber>,
    /// The workers of all programs of an attached map.
    workers: Mutex<Option<Workers>>,
    report: Mutex<Report>,
}

/// The start of a map.
struct Start {
    /// A moment, and the time from the start of the map to it.
    instant: Instant,
    before: Duration,
    unix_us: u64,
}

/// The measurements of one item that has not ended.
pub(crate) struct ItemTrace {
    recorder: Recorder,
    record: ItemRecord,
}

impl Start {
    fn now() -> Self {
        Self { instant: Instant::now(), before: Duration::ZERO, unix_us: unix_us() }
    }

    /// Returns the start of a map that another program started at this time.
    fn earlier(started_unix_us: u64) -> Self {
        // The clock may have been set back.
        let before = Duration::from_micros(unix_us().saturating_sub(started_unix_us));
        Self { instant: Instant::now(), before, unix_us: started_unix_us }
    }
}

/// Returns the time, in microseconds since 1970.
fn unix_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

impl Recorder {
    /// Sets the function that returns the index that an item has in the report. An earlier one is kept.
    pub fn renumber(&self, renumber: impl Fn(u64) -> u64 + Send + Sync + 'static) {
        let _ = self.0.renumber.set(Box::new(renumber));
    }

    /// Returns the report of the items that have ended so far.
    pub fn report(&self) -> Report {
        let mut report = self.lock().clone();
        report.function = self.0.function.get().cloned().unwrap_or_default();
        report.started_unix_ms = self.0.started.get().map_or(0, |start| start.unix_us / 1000);
        if !report.running.is_empty() {
            report.until_us = report.until_us.max(self.elapsed_us());
        }
        report
    }

    /// Returns the numbers of the items so far.
    pub(crate) fn counts(&self) -> Counts {
        let report = self.lock();
        let running = report.running.len() as u64;
        Counts { done: report.items, failed: report.failed, running }
    }

    /// Returns the start of the map, in microseconds since 1970. It starts now, unless it has.
    pub(crate) fn started_unix_us(&self) -> u64 {
        self.0.started.get_or_init(Start::now).unix_us
    }

    /// Goes on with a map that another program started at this time, in microseconds since 1970. It must be called before
    /// the first item.
    pub(crate) fn continue_map(&self, started_unix_us: u64) {
        self.0.started.get_or_init(|| Start::earlier(started_unix_us));
        *self.workers() = Some(Workers::default());
    }

    /// Adds an item that another program of the map ran.
    pub(crate) fn add(&self, function: &str, program: u64, record: ItemRecord) {
        self.start(function);
        let item = self.index(record.item);
        let worker = record
            .worker
            .and_then(|worker| self.workers().get_or_insert_default().of_program(program, worker));
        self.lock().record(ItemRecord { item, worker, ..record });
    }

    /// Records that an item with `arguments` bytes of arguments waits for a worker.
    pub(crate) fn queue(&self, item: u64, function: &str, arguments: u64) -> ItemTrace {
        self.start(function);
        let queued_us = self.elapsed_us();
        let (from_us, record) = (queued_us, ItemRecord::new(self.index(item)));
        let record = ItemRecord { queued_us, from_us, arguments, ..record };
        ItemTrace { recorder: self.clone(), record }
    }

    /// Returns the index that an item has in the report.
    pub(crate) fn index(&self, item: u64) -> u64 {
        self.0.renumber.get().map_or(item, |renumber| renumber(item))
    }

    /// Records that the item whose index in the report is `item` failed before it could run.
    pub(crate) fn reject(&self, item: u64, function: &str, error: &Error) {
        self.start(function);
        let now_us = self.elapsed_us();
        let record = ItemRecord {
            queued_us: now_us,
            from_us: now_us,
            until_us: now_us,
            failure: Some(ItemFailure::of(error)),
            ..ItemRecord::new(item)
        };
        self.lock().record(record);
    }

    /// Returns the times of an item that ends at this moment without having run.
    pub(crate) fn moment(&self) -> ItemTimes {
        ItemTimes { queued_us: self.elapsed_us(), ..ItemTimes::default() }
    }

    fn start(&self, function: &str) {
        self.0.started.get_or_init(Start::now);
        if !function.is_empty() {
            self.0.function.get_or_init(|| function.to_owned());
        }
    }

    fn elapsed_us(&self) -> u64 {
        let elapsed = |start: &Start| start.before.saturating_add(start.instant.elapsed());
        let elapsed = self.0.started.get().map_or(Duration::ZERO, elapsed);
        u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
    }

    /// Returns the number that a worker of this program has in the report.
    fn own_worker(&self, worker: u32) -> u32 {
        self.workers().as_mut().map_or(worker, |workers| workers.own(worker))
    }

    fn workers(&self) -> MutexGuard<'_, Option<Workers>> {
        self.0.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        self.0.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ItemTrace {
    /// Records that `worker` begins to run the item.
    pub(crate) fn begin(&mut self, worker: u32) {
        let worker = self.recorder.own_worker(worker);
        self.record.from_us = self.recorder.elapsed_us();
        self.record.worker = Some(worker);
        self.recorder.lock().begin(worker, self.record.item, self.record.from_us);
    }

    /// Records that a worker of its own begins to run the item: the first that runs no other.
    pub(crate) fn begin_on_free_worker(&mut self) {
        self.record.from_us = self.recorder.elapsed_us();
        let mut report = self.recorder.lock();
        let worker = report.free_worker();
        self.record.worker = Some(worker);
        report.begin(worker, self.record.item, self.record.from_us);
    }

    /// Records that the worker that ran the item was lost, and that the item waits for another one.
    #[cfg(feature = "docker")]
    pub(crate) fn wait_again(&mut self) {
        if let Some(worker) = self.record.worker.take() {
            self.recorder.lock().running.remove(&worker);
        }
    }

    /// Records the number of attempts, and the measurements of the last one if they are known.
    pub(crate) fn measure(&mut self, attempts: u32, statistics: Option<Statistics>) {
        self.record.attempts = attempts;
        self.record.statistics = statistics;
    }

    /// Returns the number of attempts, what is known of the last one, and the times of the item if it ends now.
    pub(crate) fn measured(&self) -> (u32, Statistics, ItemTimes) {
        let ItemRecord { worker, queued_us, from_us, attempts, .. } = self.record;
        let waited_us = from_us.saturating_sub(queued_us);
        let took_us = self.recorder.elapsed_us().saturating_sub(from_us);
        let times = ItemTimes { worker, queued_us, waited_us, took_us };
        (attempts, self.record.statistics.clone().unwrap_or_default(), times)
    }

    /// Records the end of the item, with the size of its value.
    pub(crate) fn end(&mut self, result: Result<u64, &Error>) {
        self.record.until_us = self.recorder.elapsed_us();
        match result {
            Ok(value) => {
                self.record.value = value;
                self.record.attempts = self.record.attempts.max(1);
            }
            Err(error) => self.record.failure = Some(ItemFailure::of(error)),
        }
        self.recorder.lock().record(std::mem::take(&mut self.record));
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({} items)", self.lock().items)
    }
}

impl fmt::Debug for ItemTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record.fmt(f)
    }
}
