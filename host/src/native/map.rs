//! Maps: many closures of one component, whose values arrive as a stream.
//!
//! - `options`: the options of a map. `window`: how many items may be in flight.
//! - `items`: the queue between a map and its runner. `chunk_size`: how many items a worker gets. `recent_mean`: the mean
//!   time of the last items. `item_log`: the output of one item.
//! - `calls`: conversion of closures to items. `engine`: starts items and collects their ends. `order`: the orders
//!   of results.
//! - `driver`: stages the job of a map, and lets a runner run its items. `separate`: a run for each item, where the
//!   runner can't.
//! - `processes`: the items of a runner that starts processes, each of which runs many.
//! - `node`: numbers of items and merges. `reduce`: merges of all values. `then`: functions that take each value.
//! - `retry`: the decision to run an item again. `breakdown`: the decision that all items fail alike.
//! - `staged`: maps that survive their program.
//! - `report`: the times, sizes and failures of the items. `progress`: their display while the map runs.

#[cfg(any(feature = "local", feature = "docker"))]
pub(crate) mod breakdown;
pub(crate) mod calls;
#[cfg(any(feature = "local", feature = "docker"))]
pub(crate) mod chunk_size;
pub(crate) mod driver;
pub(crate) mod engine;
#[cfg(any(feature = "local", feature = "docker"))]
pub(crate) mod item_log;
pub(crate) mod items;
pub(crate) mod node;
pub(crate) mod options;
pub(crate) mod order;
#[cfg(feature = "docker")]
pub(crate) mod processes;
pub(crate) mod progress;
#[cfg(any(feature = "local", feature = "docker"))]
pub(crate) mod recent_mean;
pub(crate) mod reduce;
pub(crate) mod report;
pub(crate) mod retry;
pub(crate) mod separate;
pub(crate) mod staged;
pub(crate) mod start;
mod then;
pub(crate) mod window;

pub use self::order::{AsTheyEnd, InOrder};
pub use self::report::{
    FailedItem, FailureGroup, Histogram, ItemFailure, ItemRecord, Needs, Plan, Report, RunningItem,
    Sizes, SlowItem, Span, Timeline, Times,
};

pub use self::reduce::Reduction;
pub use self::staged::item_output::ItemOutput;

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::map::engine::Engine;
use crate::map::items::Returned;
use crate::map::report::recorder::Recorder;

/// A stream of the results of many closures, in the order of the closures. [`Submitter::map`](crate::Submitter::map)
/// returns it.
///
/// The map starts when it is polled for the first time. While it is polled, it takes closures from its input: up to
/// 1,024 items, or 256 MiB of arguments and results, are in flight, so that memory stays the same with any number of
/// items. Items in flight proceed without polling.
///
/// A failed item is an `Err`, and doesn't affect other items. The map itself ends early, with an error as its last
/// result, if its component can't be staged or loaded, if no container can start, or if a closure belongs to another
/// component. So does a map whose first items all fail because of the infrastructure, with all their retries, before any
/// function has returned or failed by itself. A map whose runner starts a Pod for each item ends early, too, if its first
/// items all fail because of the environment, the stage or the runner.
///
/// A component that can't be found or is outdated, so that a called function is missing or has another signature, ends
/// the map, too.
///
/// Dropping the map cancels it and removes everything that it created.
///
/// ```no_run
/// # #[hype::function]
/// # fn price(order: u32) -> f64 { f64::from(order) }
/// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
/// use futures::StreamExt;
///
/// let env = hype::RunEnvironment::new();
/// let mut prices = submitter.map((0..10_000).map(price), &env);
/// while let Some(price) = prices.next().await {
///     match price {
///         Ok(price) => println!("{price}"),
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
#[must_use = "a map does nothing until it is polled"]
pub struct Map<T, O = InOrder> {
    engine: Engine,
    order: O,
    stops_at_failure: bool,
    is_over: bool,
    value: PhantomData<fn() -> T>,
}

impl<T> Map<T> {
    pub(crate) fn new(engine: Engine) -> Self {
        let (stops_at_failure, is_over) = (false, false);
        Self { engine, order: InOrder::default(), stops_at_failure, is_over, value: PhantomData }
    }

    /// Returns a stream of the results in the order in which the items end, each with the index of its item.
    ///
    /// ```no_run
    /// # async fn run(prices: hype::map::Map<f64>) {
    /// use futures::StreamExt;
    ///
    /// let mut prices = prices.unordered();
    /// while let Some((index, price)) = prices.next().await {
    ///     println!("{index}: {price:?}");
    /// }
    /// # }
    /// ```
    pub fn unordered(self) -> Unordered<T> {
        let Self { engine, order, stops_at_failure, is_over, value } = self;
        Map { engine, order: order.into(), stops_at_failure, is_over, value }
    }
}

impl<T, O> Map<T, O> {
    pub(crate) fn stopping_at_failure(self) -> Self {
        Self { stops_at_failure: true, ..self }
    }

    /// Sets the maximum number of items that run concurrently. The local runner runs at most 8 for each core, which is
    /// also its default; it runs one for each core while the items use the cores completely. Docker has a container for each item that runs concurrently, by default as many as its machine
    /// has cores, and at least 2. Kubernetes starts a Pod for each item, by default 8 at a time.
    ///
    /// ```no_run
    /// fn slowly(map: hype::map::Map<f64>) -> hype::map::Map<f64> {
    ///     map.with_parallelism(2)
    /// }
    /// ```
    pub fn with_parallelism(mut self, parallelism: usize) -> Self {
        self.engine.options.parallelism = Some(parallelism.max(1));
        self
    }

    /// Sets the maximum number of items that a worker takes at once, and then runs one after the other: an item waits for those
    /// before it. By default, a worker of the local runner takes as many items as take 2 milliseconds together, and a
    /// container as many as take a tenth of a second, at most 64. It has no effect in Kubernetes, where each item has a Pod.
    ///
    /// ```no_run
    /// fn in_batches(map: hype::map::Map<f64>) -> hype::map::Map<f64> {
    ///     map.with_batch(64)
    /// }
    /// ```
    pub fn with_batch(mut self, items: usize) -> Self {
        self.engine.options.batch = Some(items.max(1));
        self
    }

    /// Sets the timeout of each item, instead of [that of the environment](crate::RunEnvironment::with_timeout). An
    /// item that exceeds it fails with the kind [`Deadline`](crate::FailureKind::Deadline).
    ///
    /// ```no_run
    /// fn impatient(map: hype::map::Map<f64>) -> hype::map::Map<f64> {
    ///     map.with_item_timeout(std::time::Duration::from_secs(30))
    /// }
    /// ```
    pub fn with_item_timeout(mut self, timeout: Duration) -> Self {
        self.engine.options.item_timeout = Some(timeout);
        self
    }

    /// Sets the maximum number of retries of an item whose function returns an error, exits, panics or traps. The default
    /// is 0. Pauses between attempts grow (exponential backoff).
    ///
    /// ```no_run
    /// fn persistent(map: hype::map::Map<f64>) -> hype::map::Map<f64> {
    ///     map.with_error_retries(2)
    /// }
    /// ```
    pub fn with_error_retries(mut self, retries: u32) -> Self {
        self.engine.options.retries.errors = retries;
        self
    }

    /// Lets an item that exceeds [its memory](crate::RunEnvironment::with_memory) run again with twice the memory, and
    /// again, up to `max` bytes. By default such an item fails.
    ///
    /// ```no_run
    /// fn growing(map: hype::map::Map<f64>) -> hype::map::Map<f64> {
    ///     map.with_memory_retries(2 << 30)
    /// }
    /// ```
    pub fn with_memory_retries(mut self, max: u64) -> Self {
        self.engine.options.retries.max_memory = Some(max);
        self
    }

    /// Sets the number of items, which only the display of progress needs, for the time that is left. An iterator of a known
    /// length states it.
    ///
    /// ```no_run
    /// fn of_a_million(map: hype::map::Map<f64>) -> hype::map::Map<f64> {
    ///     map.with_expected_items(1_000_000)
    /// }
    /// ```
    pub fn with_expected_items(mut self, items: u64) -> Self {
        self.engine.options.expected_items = Some(items);
        self
    }

    /// Returns the report of the items that have ended so far: their times and sizes, their failures, and which worker ran
    /// what when. It has a bounded size, and can be called at any time.
    ///
    /// ```no_run
    /// # fn write(map: &hype::map::Map<f64>) -> hype::Result<()> {
    /// map.report().to_html("report.html")
    /// # }
    /// ```
    pub fn report(&self) -> Report {
        self.engine.recorder.report()
    }

    /// Stops the map and removes everything that it created. Dropping the map does the same in the background.
    ///
    /// ```no_run
    /// async fn stop(map: hype::map::Map<f64>) -> hype::Result<()> {
    ///     map.cancel().await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the first failed removal, if the runner takes items. A runner that starts a Pod for each item reports
    /// failed removals as warnings.
    pub async fn cancel(self) -> Result<()> {
        self.engine.cancel().await
    }
}

impl<T> Map<T> {
    fn poll_ordered(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Returned>>> {
        loop {
            if let Some(end) = self.order.next() {
                self.engine.release(end.size());
                return Poll::Ready(Some(end.result));
            }
            match ready!(self.engine.poll_end(context)) {
                Some(Ok(end)) => self.order.insert(end),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<T> Unordered<T> {
    fn poll_unordered(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<(u64, Result<Returned>)>> {
        let end = match self.order.next_kept() {
            Some(end) => Some(Ok(end)),
            None => ready!(self.engine.poll_end(context)),
        };
        Poll::Ready(match end {
            Some(Ok(end)) => {
                self.engine.release(end.size());
                Some((end.index, end.result))
            }
            Some(Err(error)) => Some((self.engine.started(), Err(error))),
            None => None,
        })
    }
}

impl<T: DeserializeOwned + 'static, O> Map<T, O> {
    /// Decodes a result. Ends the map after it if it is a failure that stops the map.
    fn decode(&mut self, result: Result<Returned>) -> Result<T> {
        let value = result.and_then(Returned::decode);
        self.is_over |= value.is_err() && self.stops_at_failure;
        if self.is_over {
            self.engine.stop();
        }
        value
    }
}

impl<T: DeserializeOwned + 'static> Stream for Map<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let map = self.get_mut();
        if map.is_over {
            return Poll::Ready(None);
        }
        let result = ready!(map.poll_ordered(context));
        Poll::Ready(result.map(|result| map.decode(result)))
    }
}

/// A stream of the results of many closures in the order in which they end, each with the index of its closure.
/// [`Map::unordered`] returns it.
///
/// An error of the map itself has the index after that of its last item.
///
/// ```no_run
/// async fn first(prices: hype::map::Unordered<f64>) -> Option<(u64, hype::Result<f64>)> {
///     use futures::StreamExt;
///
///     prices.take(1).next().await
/// }
/// ```
pub type Unordered<T> = Map<T, AsTheyEnd>;

impl<T: DeserializeOwned + 'static> Stream for Unordered<T> {
    type Item = (u64, Result<T>);

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let map = self.get_mut();
        if map.is_over {
            return Poll::Ready(None);
        }
        let result = ready!(map.poll_unordered(context));
        Poll::Ready(result.map(|(index, result)| (index, map.decode(result))))
    }
}

/// Returns the recorder of a map, which outlives it.
pub fn recorder<T, O>(map: &Map<T, O>) -> Recorder {
    map.engine.recorder.clone()
}

/// Lets a staged map be detached when it is dropped before its end, so that another program can go on with it.
pub fn detach_on_drop<T, O>(map: &Map<T, O>) {
    map.engine.detach_on_drop();
}

/// Returns whether a staged map is detached when it is dropped: [`detach_on_drop`] was called, and it was neither cancelled
/// nor ended without a result.
pub fn is_detached_on_drop<T, O>(map: &Map<T, O>) -> bool {
    map.engine.is_detached_on_drop()
}

/// Returns whether the result with this index is that of an item, and not the error of the map itself.
pub fn is_of_item<T>(map: &Unordered<T>, index: u64) -> bool {
    index < map.engine.started()
}

impl<T, O> fmt::Debug for Map<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map({} items started)", self.engine.started())
    }
}
