//! Items of maps on this machine: the component is loaded once, and each item has its own instance and sandbox.
//!
//! Short items are taken in chunks, whose calls share messages to a worker process. If that is lost, items run again that
//! have run before, so an environment in which they may have had effects has no chunks.

use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use hype_run::{Execution, Executor, GuestOutput, ItemCall, Prepared, RunRequest, Stream};
use hype_wire::{Failure, Statistics};
use tokio::task::JoinSet;

use super::running::Inside;
use super::turns::Turns;
use super::{Inner, LocalRunner, request};
use crate::error::{Error, Result};
use crate::map::breakdown::Breakdown;
use crate::map::chunk_size::Chunks;
use crate::map::item_log::ItemLog;
use crate::map::items::{ChunkSize, Item, Items};
use crate::map::node::Named;
use crate::map::retry::{Next, Retries, has_effects};
use crate::run::log::{Log, LogStream};
use crate::runner::{Attempt, ItemRunner};

/// The time that the items of a chunk take together, as far as it is known.
const TARGET: Duration = Duration::from_millis(2);

impl ItemRunner for LocalRunner {
    fn run_items(&self, attempt: Attempt, items: Items) -> BoxFuture<'static, Result<()>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let parallelism = items.parallelism().unwrap_or(inner.slots).min(inner.slots);
            let mut request = request(&attempt);
            let interrupt = request.interrupt.clone();
            // The items alone are stopped if the infrastructure is broken.
            request.interrupt = interrupt.child_token();
            let job = ItemJob {
                request,
                run_id: attempt.run_id.clone(),
                function: attempt.function,
                retries: Retries::new(items.retry_options(), &attempt.env),
                has_effects: has_effects(&attempt.env),
                turns: Turns::new(inner.cores, parallelism),
                parallelism,
                breakdown: Breakdown::new(parallelism),
                log: attempt.log,
            };
            let work = |inside| run(Arc::clone(&inner), job, items, inside);
            inner.start(&attempt.run_id, &attempt.cleanup, interrupt, work).await
        })
    }

    fn can_run_staged_items(&self) -> bool {
        true
    }
}

/// The job of the items of a map.
struct ItemJob {
    request: RunRequest,
    run_id: String,
    /// The name of the first item's function.
    function: String,
    /// The retries of each item.
    retries: Retries,
    /// True if an item can change anything outside.
    has_effects: bool,
    turns: Turns,
    /// The number of workers.
    parallelism: usize,
    breakdown: Breakdown,
    log: Log,
}

/// The executor of a runner.
struct SharedExecutor(Arc<Inner>);

impl Deref for SharedExecutor {
    type Target = Executor;

    fn deref(&self) -> &Executor {
        &self.0.executor
    }
}

/// A worker: a task that runs one item at a time.
struct Worker {
    number: u32,
    prepared: Arc<Prepared<SharedExecutor>>,
    job: Arc<ItemJob>,
    items: Items,
    /// The number of processor cores.
    cores: usize,
    _inside: Inside,
}

async fn run(inner: Arc<Inner>, job: ItemJob, items: Items, inside: Inside) -> Result<()> {
    let cores = inner.cores;
    let prepared = Prepared::fetch(SharedExecutor(inner), &job.request);
    let Some(prepared) = job.request.interrupt.run_until_cancelled(prepared).await else {
        return Ok(());
    };
    let (prepared, _) = prepared.map_err(|failure| Error::failed(&job.function, failure))?;
    let (prepared, job) = (Arc::new(prepared), Arc::new(job));
    let mut workers = JoinSet::new();
    for number in 0..job.parallelism {
        let worker = Worker {
            number: number as u32,
            prepared: Arc::clone(&prepared),
            job: Arc::clone(&job),
            items: items.clone(),
            cores,
            _inside: inside.clone(),
        };
        workers.spawn(worker.run());
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|error| Error::runner("the local runner broke down", error))?;
    }
    job.breakdown.error().map_or(Ok(()), Err)
}

impl Worker {
    async fn run(self) {
        let interrupt = &self.job.request.interrupt;
        let mut chunks = Chunks::new(self.cores, TARGET, self.items.batch());
        loop {
            let turn = self.job.turns.next();
            let Some(turn) = interrupt.run_until_cancelled(turn).await else { return };
            let chunk = self.items.next_chunk(|waiting| {
                let size = chunks.first(waiting);
                // Items with effects run one by one, so that those of a chunk would only wait for each other.
                let items = if self.is_one_by_one() { 1 } else { size.items };
                ChunkSize { items, ..size }
            });
            let Some(chunk) = interrupt.run_until_cancelled(chunk).await else { return };
            if chunk.is_empty() {
                return;
            }
            turn.run(chunk.len(), pin!(self.complete_all(chunk, &mut chunks))).await;
            if interrupt.is_cancelled() {
                return;
            }
        }
    }

    /// Returns whether each item is taken alone.
    fn is_one_by_one(&self) -> bool {
        self.job.has_effects && self.items.batch().is_none()
    }

    /// Runs items with their retries, and reports their ends.
    async fn complete_all(&self, items: Vec<Item>, chunks: &mut Chunks) {
        if items.len() == 1 || self.job.has_effects {
            for item in items {
                if let Some(took) = self.complete(item, None).await {
                    chunks.record(took);
                }
            }
            return;
        }
        for (item, execution) in self.attempt_all(items, chunks).await {
            self.complete(item, Some(execution)).await;
        }
    }

    /// Adapts the number of workers that run items at once to an attempt.
    fn record_turn(&self, execution: &Execution) {
        let processor = Duration::from_micros(execution.cpu_us);
        self.job.turns.record(time_of(execution), processor);
    }

    /// Returns whether the failure of a first attempt is the end of its item.
    fn is_final(&self, failure: &Failure) -> bool {
        let is_interrupted = self.job.request.interrupt.is_cancelled();
        !is_interrupted && matches!(self.job.retries.clone().after(failure), Next::Fail)
    }

    /// Makes the first attempts of items together. Reports the ends of those that need no other attempt, and returns the
    /// others.
    async fn attempt_all(&self, items: Vec<Item>, chunks: &mut Chunks) -> Vec<(Item, Execution)> {
        let outputs: Vec<_> = items.iter().map(|item| self.output(item)).collect();
        let functions: Vec<_> = items.iter().map(Item::shared_function).collect();
        let call = |(item, function): (&Item, _)| ItemCall {
            function,
            arguments: item.arguments(),
            seed: item.seed(),
            memory: None,
        };
        let functions = functions.iter().map(|function| &function.reference);
        let calls: Vec<_> = items.iter().zip(functions).map(call).collect();
        let mut failed = Vec::new();
        let mut running = items.into_iter();
        let mut next = running.next();
        if let Some(item) = &mut next {
            item.begin(self.number);
        }
        let mut end = |execution: Execution| {
            let Some(mut item) = next.take() else { return };
            chunks.record(time_of(&execution));
            self.record_turn(&execution);
            item.measure(1, Some(statistics(&execution)));
            // An end doesn't wait for the items behind it.
            let is_final = execution.value.as_ref().is_err_and(|failure| self.is_final(failure));
            match execution.value {
                Ok(value) => {
                    self.job.breakdown.record_run();
                    item.finish(Ok(value));
                }
                Err(failure) if is_final => {
                    self.record_failure(&item, &failure, true);
                    item.finish(Err(failure));
                }
                Err(_) => failed.push((item, execution)),
            }
            next = running.next();
            if let Some(item) = &mut next {
                item.begin(self.number);
            }
        };
        self.prepared.call_items(&calls, &outputs, &mut end).await;
        failed
    }

    /// Runs an item with its retries, and reports its end. `first` is its first attempt, if it was made. Returns the time of
    /// the last attempt. An interrupted item has no end of its own.
    async fn complete(&self, mut item: Item, mut first: Option<Execution>) -> Option<Duration> {
        let output = self.output(&item);
        let interrupt = &self.job.request.interrupt;
        let mut retries = self.job.retries.clone();
        let (mut attempts, mut memory) = (0, None);
        if first.is_none() {
            item.begin(self.number);
        }
        loop {
            let execution = match first.take() {
                Some(execution) => execution,
                None => {
                    let (function, arguments) = (item.function(), item.arguments());
                    let call = ItemCall { function, arguments, seed: item.seed(), memory };
                    let execution = self.prepared.call_item(call, &output).await;
                    self.record_turn(&execution);
                    execution
                }
            };
            attempts += 1;
            item.measure(attempts, Some(statistics(&execution)));
            if interrupt.is_cancelled() {
                return None;
            }
            let took = time_of(&execution);
            let failure = match execution.value {
                Ok(value) => {
                    self.job.breakdown.record_run();
                    item.finish(Ok(value));
                    return Some(took);
                }
                Err(failure) => failure,
            };
            let next = retries.after(&failure);
            self.record_failure(&item, &failure, !matches!(next, Next::Retry { .. }));
            let delay = match next {
                Next::Retry { delay, memory: other } => {
                    memory = other.or(memory);
                    delay
                }
                Next::Fail => {
                    item.finish(Err(failure));
                    return Some(took);
                }
                Next::Lose => {
                    item.lose(&failure);
                    return Some(took);
                }
            };
            let (item, run_id, message) = (Named(item.node()), &self.job.run_id, failure.message);
            tracing::warn!(
                "{item} of {run_id} failed, its next attempt follows in {delay:?}: {message}"
            );
            interrupt.run_until_cancelled(tokio::time::sleep(delay)).await?;
        }
    }

    /// Records the failure of an attempt, and stops all items if they fail alike. `is_final` is true if the item has no other
    /// attempt.
    fn record_failure(&self, item: &Item, failure: &Failure, is_final: bool) {
        let ItemJob { breakdown, request, .. } = &*self.job;
        if !failure.kind.is_infrastructure() {
            return breakdown.record_run();
        }
        let error = || Error::failed(&self.job.function, failure.clone());
        breakdown.record_failure(item.index(), is_final, error);
        if breakdown.error().is_some() {
            self.items.cancel();
            request.interrupt.cancel();
        }
    }

    /// Returns the output of an item, whose lines go to the program's and, if the map is staged, are kept.
    fn output(&self, item: &Item) -> GuestOutput {
        let log = ItemLog::new(self.job.log.clone(), item.node());
        let kept = item.output();
        GuestOutput::new(move |stream, bytes| {
            let stream = match stream {
                Stream::Stdout => LogStream::Stdout,
                Stream::Stderr => LogStream::Stderr,
            };
            log.write(stream, bytes);
            if let Some(kept) = &kept {
                kept.write(stream, bytes);
            }
        })
    }
}

/// Returns the time that an attempt took its worker.
fn time_of(execution: &Execution) -> Duration {
    Duration::from_micros(execution.start_us.saturating_add(execution.run_us))
}

fn statistics(execution: &Execution) -> Statistics {
    let Execution { start_us, run_us, cpu_us, peak_memory, .. } = *execution;
    Statistics { start_us, run_us, cpu_us, peak_memory, ..Statistics::default() }
}
