//! The queue of items between a map and its runner.

#[cfg(any(feature = "local", feature = "docker"))]
mod chunks;

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hype_wire::{Failure, FunctionRef, ItemEnd as StagedEnd, Statistics, one_line};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, watch};

#[cfg(any(feature = "local", feature = "docker"))]
pub(crate) use self::chunks::ChunkSize;
use crate::call::value;
use crate::error::{Error, ErrorKind, Result};
use crate::map::node::{Named, Node};
use crate::map::options::MapOptions;
use crate::map::report::recorder::{ItemTrace, Recorder};
use crate::map::retry::RetryOptions;
use crate::map::staged::commits::NewResult;
use crate::map::staged::output::OutputEnd;
use crate::map::staged::stager::Stager;

/// The items of a map that wait for a runner. Clones share one queue.
#[derive(Debug, Clone)]
pub struct Items(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The window of the map bounds its length.
    queue: Mutex<UnboundedReceiver<Waiting>>,
    options: MapOptions,
    unfinished: watch::Sender<Unfinished>,
    is_cancelled: AtomicBool,
    /// The stager of a staged map.
    stager: Option<Stager>,
    recorder: Recorder,
}

/// The items of a map that have not ended.
#[derive(Debug, Default)]
struct Unfinished {
    items: usize,
    /// Whether there will be no more items.
    is_complete: bool,
}

/// One item of a map: a call of a function, whose end the runner reports by [`finish`](Self::finish). An item that the
/// runner drops is lost.
pub struct Item {
    call: Waiting,
    items: Items,
    /// The end of its output, if the map is staged.
    output: Option<OutputEnd>,
    has_ended: bool,
}

/// An item that no worker has taken yet.
#[derive(Debug)]
struct Waiting {
    index: u64,
    function: Arc<ItemFunction>,
    arguments: Bytes,
    seed: Option<u64>,
    trace: ItemTrace,
    ends: UnboundedSender<ItemEnd>,
}

/// A function that items call.
#[derive(Debug)]
pub(crate) struct ItemFunction {
    /// The function's name in messages.
    pub(crate) name: String,
    pub(crate) reference: FunctionRef,
    pub(crate) has_wit_types: bool,
    /// The step of the items that call it: 0 for their own functions, and more for those that take their values.
    pub(crate) step: usize,
}

/// The end of an item.
#[derive(Debug)]
pub(crate) struct ItemEnd {
    pub(crate) index: u64,
    /// The size of the item's arguments, in bytes.
    pub(crate) arguments: u64,
    pub(crate) result: Result<Returned>,
}

/// The encoded value that a function returned.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) function: Arc<ItemFunction>,
    pub(crate) bytes: Bytes,
}

impl Items {
    /// Returns the maximum number of items that may run concurrently; `None` if the runner decides.
    pub fn parallelism(&self) -> Option<usize> {
        self.0.options.parallelism
    }

    /// Returns the retries that the user asked for.
    pub(crate) fn retry_options(&self) -> &RetryOptions {
        &self.0.options.retries
    }

    /// Waits for items and returns them, at least one and at most as many as a worker takes at once. Returns none when
    /// there will be no more items.
    pub async fn next_batch(&self) -> Vec<Item> {
        let mut batch = Vec::new();
        let maximum = self.0.options.batch.unwrap_or(1);
        self.0.queue.lock().await.recv_many(&mut batch, maximum).await;
        batch.into_iter().map(|call| self.taken(call)).collect()
    }

    fn taken(&self, call: Waiting) -> Item {
        // The plan of a staged map has its items, and not their merges.
        let is_staged = self.0.stager.is_some() && !Node::of_number(call.index).is_merge();
        let output = is_staged.then(OutputEnd::default);
        Item { call, items: self.clone(), output, has_ended: false }
    }

    /// Returns the start of the map, in microseconds since 1970.
    pub(crate) fn started_unix_us(&self) -> u64 {
        self.0.recorder.started_unix_us()
    }

    /// Records that the map is cancelled, so that its items have no ends of their own.
    pub(crate) fn cancel(&self) {
        self.0.is_cancelled.store(true, Ordering::Release);
    }
}

impl Item {
    /// Returns the position of the item in its map, counted from 0. A merge of a reduction, which runs as an item, has a
    /// number of its own, from 2^63 on.
    pub fn index(&self) -> u64 {
        self.call.index
    }

    /// Returns the item's position in the tree of a reduction.
    #[cfg(any(feature = "local", feature = "docker"))]
    pub(crate) fn node(&self) -> Node {
        Node::of_number(self.call.index)
    }

    /// Returns the called function.
    pub fn function(&self) -> &FunctionRef {
        &self.call.function.reference
    }

    /// Returns the called function, which outlives the item.
    #[cfg(feature = "local")]
    pub(crate) fn shared_function(&self) -> Arc<ItemFunction> {
        Arc::clone(&self.call.function)
    }

    /// Returns the arguments: a MessagePack array with one element for each parameter.
    pub fn arguments(&self) -> Bytes {
        self.call.arguments.clone()
    }

    /// Returns the arguments, borrowed.
    #[cfg(feature = "docker")]
    pub(crate) fn argument_bytes(&self) -> &[u8] {
        &self.call.arguments
    }

    /// Returns the seed of the item, if its environment is deterministic.
    pub fn seed(&self) -> Option<u64> {
        self.call.seed
    }

    /// Returns where the end of the item's output is kept, if it is.
    #[cfg(any(feature = "local", feature = "docker"))]
    pub(crate) fn output(&self) -> Option<OutputEnd> {
        self.output.clone()
    }

    /// Reports that a worker, counted from 0, begins to run the item. Only the map's report shows it.
    pub fn begin(&mut self, worker: u32) {
        self.call.trace.begin(worker);
    }

    /// Reports the number of attempts, and the durations and sizes of the last one if they are known. Only the map's
    /// report shows them.
    pub fn measure(&mut self, attempts: u32, statistics: Option<Statistics>) {
        self.call.trace.measure(attempts, statistics);
    }

    /// Reports the end of the item: its value as MessagePack, or its failure.
    pub fn finish(mut self, end: std::result::Result<Vec<u8>, Failure>) {
        let function = Arc::clone(&self.call.function);
        self.end(match end {
            Ok(value) => Ok(Returned { function, bytes: value.into() }),
            Err(failure) => Err(Error::failed(&function.name, failure)),
        });
    }

    /// Reports that the item may have run, failed because of the infrastructure, and must not run twice.
    pub fn lose(mut self, failure: &Failure) {
        self.end(Err(lost(self.call.index, &failure.message)));
    }

    fn end(&mut self, result: Result<Returned>) {
        if let (Some(stager), false) =
            (&self.items.0.stager, Node::of_number(self.call.index).is_merge())
        {
            let (attempts, statistics, times) = self.call.trace.measured();
            let output = self.output.take().map(|output| output.take()).unwrap_or_default();
            let end = staged_end(&result);
            let result = NewResult { end, attempts, statistics, times, output };
            stager.end(self.call.index, result);
        }
        self.report(result);
    }

    /// Reports the end of the item to the map, and commits nothing.
    fn report(&mut self, result: Result<Returned>) {
        self.has_ended = true;
        self.call.trace.end(result.as_ref().map(|returned| returned.bytes.len() as u64));
        let Waiting { index, arguments, ends, .. } = &self.call;
        // An error means that the map was dropped.
        let _ = ends.send(ItemEnd { index: *index, arguments: arguments.len() as u64, result });
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        if !self.has_ended && !self.items.0.is_cancelled.load(Ordering::Acquire) {
            let problem = problem_of_lost(self.call.index);
            // Nothing is known of its end, so that a program that attaches decides whether it runs again.
            self.report(Err(Error::new(ErrorKind::Lost, problem).because("the runner dropped it")));
        }
        self.items.0.unfinished.send_modify(|unfinished| unfinished.items -= 1);
    }
}

/// Returns the error of an item that may have run and must not run twice.
pub(crate) fn lost(index: u64, reason: &str) -> Error {
    Error::new(ErrorKind::Lost, problem_of_lost(index)).because(reason.to_owned()).hint(
        "it may have run; RunEnvironment::with_retries lets items run again that write to mounts or use grants",
    )
}

fn problem_of_lost(index: u64) -> String {
    format!("{} of the map was lost", Named(Node::of_number(index)))
}

/// Returns the end of an item as it is staged.
pub(crate) fn staged_end(result: &Result<Returned>) -> std::result::Result<Bytes, StagedEnd> {
    let error = match result {
        Ok(returned) => return Ok(returned.bytes.clone()),
        Err(error) => error,
    };
    Err(match (error.failure(), error.kind()) {
        (Some(failure), _) => StagedEnd::Failure(failure.clone()),
        (None, ErrorKind::Input) => StagedEnd::Rejected(one_line(error)),
        // `lost` makes the same error of the reason.
        (None, _) => StagedEnd::Lost(one_line(error.source().unwrap_or(error))),
    })
}

impl ItemEnd {
    /// Returns the size of the value, or of the failure, in bytes.
    pub(crate) fn size(&self) -> u64 {
        let size = match &self.result {
            Ok(returned) => returned.bytes.len(),
            Err(error) => error.failure().map_or(0, size_of_failure),
        };
        size as u64
    }
}

/// Returns the size of a failure's texts and of its value, which may be the whole output of a program.
fn size_of_failure(failure: &Failure) -> usize {
    let frames = failure.backtrace.iter().map(|frame| &frame.function);
    let texts = failure.causes.iter().chain(frames).map(String::len).sum::<usize>();
    failure.message.len() + texts + failure.value.as_ref().map_or(0, |value| value.0.len())
}

impl Returned {
    pub(crate) fn decode<T: serde::de::DeserializeOwned + 'static>(self) -> Result<T> {
        let ItemFunction { name, has_wit_types, .. } = &*self.function;
        match has_wit_types {
            true => value::decode_wit(name, self.bytes),
            false => value::decode(name, self.bytes),
        }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item({} {})", self.call.index, self.call.function.name)
    }
}

/// The map's side of a queue. Dropping it tells the runner that there will be no more items.
#[derive(Debug)]
pub(crate) struct ItemSender {
    queue: UnboundedSender<Waiting>,
    ends: UnboundedSender<ItemEnd>,
    items: Items,
}

impl Drop for ItemSender {
    fn drop(&mut self) {
        self.items.0.unfinished.send_modify(|unfinished| unfinished.is_complete = true);
    }
}

/// Creates a queue, and the channel of the ends of its items.
pub(crate) fn queue(
    options: &MapOptions,
    recorder: &Recorder,
    stager: Option<&Stager>,
) -> (ItemSender, Items, UnboundedReceiver<ItemEnd>) {
    let ((queue, receiver), (ends, ended)) = (unbounded_channel(), unbounded_channel());
    let inner = Inner {
        queue: Mutex::new(receiver),
        options: options.clone(),
        unfinished: watch::Sender::default(),
        is_cancelled: AtomicBool::new(false),
        stager: stager.cloned(),
        recorder: recorder.clone(),
    };
    let items = Items(Arc::new(inner));
    let sender = ItemSender { queue, ends, items: items.clone() };
    (sender, items, ended)
}

/// Creates a queue of items with these encoded arguments, which gets no others, and the channel of their ends.
#[cfg(all(test, feature = "docker"))]
pub(crate) fn queue_of(
    arguments: &[&'static [u8]],
    options: &MapOptions,
    recorder: &Recorder,
) -> (Items, UnboundedReceiver<ItemEnd>) {
    let (sender, items, ends) = queue(options, recorder, None);
    let function = Arc::new(ItemFunction {
        name: "greet".into(),
        reference: FunctionRef::Closure("guests::greet".into()),
        has_wit_types: false,
        step: 0,
    });
    for (index, arguments) in (0..).zip(arguments) {
        sender.send(index, Arc::clone(&function), Bytes::from_static(arguments), None);
    }
    (items, ends)
}

impl ItemSender {
    /// Adds an item.
    pub(crate) fn send(
        &self,
        index: u64,
        function: Arc<ItemFunction>,
        arguments: Bytes,
        seed: Option<u64>,
    ) {
        let (recorder, item) = (&self.items.0.recorder, Node::of_number(index).first_item());
        let trace = recorder.queue(item, &function.name, arguments.len() as u64);
        let item = Waiting { index, function, arguments, seed, trace, ends: self.ends.clone() };
        self.items.0.unfinished.send_modify(|unfinished| unfinished.items += 1);
        // An error means that the runner has failed, which the map's driver reports.
        let _ = self.queue.send(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_item_keeps_its_reason_in_the_stage() {
        let staged = staged_end(&Err(lost(3, "the process was killed")));
        assert_eq!(staged, Err(StagedEnd::Lost("the process was killed".to_owned())));
    }

    /// Lets a runner take an item and drop it. Returns the item's end, if it has one.
    async fn drop_item(before_drop: impl FnOnce(&Items)) -> Option<ItemEnd> {
        let (sender, items, mut ends) = queue(&MapOptions::default(), &Recorder::default(), None);
        let function = ItemFunction {
            name: "f".to_owned(),
            reference: FunctionRef::Closure("p::f".to_owned()),
            has_wit_types: false,
            step: 0,
        };
        sender.send(7, Arc::new(function), Bytes::from_static(b"\x90"), None);
        let batch = items.next_batch().await;
        before_drop(&items);
        drop(batch);
        ends.try_recv().ok()
    }

    #[tokio::test]
    async fn dropped_item_is_lost() {
        let end = drop_item(|_| ()).await.unwrap();
        assert_eq!((end.index, end.arguments), (7, 1));
        assert!(end.result.unwrap_err().is_lost());
    }

    #[test]
    fn size_of_failed_item_includes_the_output_of_its_program() {
        let mut failure = Failure::of_exit("grep", 2);
        let size = |failure: &Failure| {
            let result = Err(Error::failed("grep", failure.clone()));
            ItemEnd { index: 0, arguments: 0, result }.size()
        };
        let without_output = size(&failure);
        failure.value = Some(Box::new(hype_wire::Bytes(vec![0; 1 << 20])));
        assert_eq!(size(&failure), without_output + (1 << 20));
    }

    #[tokio::test]
    async fn item_of_cancelled_map_has_no_end() {
        assert!(drop_item(Items::cancel).await.is_none());
    }
}
