//! A worker, which gives items to one process after another.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hype_wire::items::{AttemptEnd, ItemChunk, ItemMessage};
use hype_wire::{Failure, FailureKind, Statistics, one_line};

use super::assigned::Assigned;
use super::work::Work;
use super::{ItemProcess, ItemProcesses};
use crate::error::{Error, Result};
use crate::map::chunk_size::{Chunks, Load};
use crate::map::item_log::ItemLog;
use crate::run::attempts::backoff;
use crate::run::log::LogStream;
use crate::runner::Attempt;

/// The number of processes of a worker that may be lost one after another without having run an item, while no other
/// worker has a process.
const MAX_USELESS: u32 = 3;

/// A worker: one process at a time, and the items that it has.
pub(super) struct Worker<'a, P> {
    pub(super) number: usize,
    pub(super) processes: &'a P,
    pub(super) work: Arc<Work>,
    pub(super) attempt: &'a Attempt,
}

/// The end of a process.
enum End {
    /// All items of the map have ended.
    Complete,
    /// All items of the map fail alike.
    Broken(Error),
    /// The process was lost. `was_useful` is true if it ran an item, or was lost while it had one.
    Lost { error: Error, was_useful: bool },
}

impl<P: ItemProcesses> Worker<'_, P> {
    /// Runs items until all of the map have ended.
    ///
    /// # Errors
    ///
    /// If a process can't prepare the job, or repeatedly can't be started while no other worker has one.
    pub(super) async fn run(self) -> Result<()> {
        let mut useless = 0;
        while self.work.is_needed(self.number).await {
            self.work.process_began();
            let end = match self.start().await {
                Ok(process) => self.feed(process).await,
                Err(error) => End::Lost { error, was_useful: false },
            };
            self.work.process_ended();
            let error = match end {
                End::Complete => return Ok(()),
                End::Broken(error) => return Err(error),
                End::Lost { error, was_useful } => {
                    useless = if was_useful { 0 } else { useless };
                    error
                }
            };
            useless += 1;
            // The items of other processes must not end with this one.
            let is_hopeless = useless > MAX_USELESS || !self.work.has_started();
            if is_hopeless && !self.work.has_process() {
                return Err(error);
            }
            let delay = backoff(useless);
            tracing::warn!(
                "a process of {} was lost, the next one starts in {delay:?}: {error}",
                self.attempt.run_id
            );
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.work.all_ended() => return Ok(()),
            }
        }
        Ok(())
    }

    /// Starts a process and waits until it has prepared the job.
    async fn start(&self) -> Result<P::Process> {
        let mut process = self.processes.start().await?;
        match process.receive().await? {
            ItemMessage::Ready => {
                self.work.mark_started();
                Ok(process)
            }
            ItemMessage::Unprepared(failure) => Err(Error::failed(&self.attempt.function, failure)),
            ItemMessage::Output { .. } | ItemMessage::Ended { .. } => {
                Err(self.confused("it reported an item before it was ready"))
            }
        }
    }

    /// Gives items to a process until all have ended or the process is lost.
    async fn feed(&self, mut process: P::Process) -> End {
        let mut fed = Fed {
            worker: self.number as u32,
            attempt: self.attempt,
            chunks: self.work.chunks(),
            has: VecDeque::new(),
            log: None,
            has_ended: false,
            is_stopping: false,
            is_cut: false,
        };
        loop {
            // A process that got no items has ended, and its next message says why.
            let message = if fed.has.is_empty() && !fed.is_cut {
                tokio::select! {
                    chunk = self.work.next(&fed.chunks) => {
                        if chunk.is_empty() {
                            process.end().await;
                            return End::Complete;
                        }
                        self.send(&mut process, &mut fed, chunk).await;
                        continue;
                    }
                    message = process.receive() => message,
                }
            } else {
                process.receive().await
            };
            let handled = match message {
                Ok(message) => self.handle(&mut fed, message),
                Err(error) => Err(error),
            };
            if let Err(error) = handled {
                let end = self.lose(fed, error);
                return self.work.broken().map_or(end, End::Broken);
            }
            if let Some(error) = self.work.broken() {
                return End::Broken(error);
            }
            if !fed.is_cut {
                let further = self.work.further(&fed.chunks, fed.load());
                if !further.is_empty() {
                    self.send(&mut process, &mut fed, further).await;
                }
            }
        }
    }

    /// Sends items to the process. If it is lost, the next message says why.
    async fn send(&self, process: &mut P::Process, fed: &mut Fed<'_>, chunk: Vec<Assigned>) {
        let items = chunk.iter().map(Assigned::message).collect();
        match process.send(&ItemChunk { items }).await {
            Ok(()) => fed.add(chunk),
            Err(error) => {
                tracing::debug!("a process of {} got no items: {error}", self.attempt.run_id);
                fed.is_cut = true;
                self.work.give_back(chunk);
            }
        }
    }

    fn handle(&self, fed: &mut Fed<'_>, message: ItemMessage) -> Result<()> {
        match message {
            ItemMessage::Output { is_error, bytes } => fed.write(is_error, &bytes),
            ItemMessage::Ended { index, end, statistics } => {
                let ended = fed.end(index, &statistics);
                let assigned = ended.ok_or_else(|| self.confused("it ended an item of another"))?;
                match end {
                    AttemptEnd::Value(value) => {
                        self.work.breakdown().record_run();
                        assigned.finish(value.into(), statistics);
                    }
                    AttemptEnd::Failure(failure) => {
                        fed.is_stopping |= failure.kind == FailureKind::Interrupted;
                        let error = Error::failed(&self.attempt.function, failure.clone());
                        self.fail(assigned, failure, Some(statistics), &error);
                    }
                }
                fed.begin();
            }
            ItemMessage::Ready | ItemMessage::Unprepared(_) => {
                return Err(self.confused("it started twice"));
            }
        }
        Ok(())
    }

    /// Handles the loss of a process: its first item may have run, and the others have not. After an interrupted item
    /// none has.
    fn lose(&self, fed: Fed<'_>, error: Error) -> End {
        let (mut has, was_useful) = (fed.has, fed.has_ended);
        let first = if fed.is_stopping { None } else { has.pop_front() };
        let was_useful = was_useful || first.is_some();
        if let Some(first) = first {
            let failure = error.failure().cloned().unwrap_or_else(|| lost_failure(&error));
            self.fail(first, failure, None, &error);
        }
        self.work.give_back(has);
        End::Lost { error, was_useful }
    }

    /// Handles the failure of an attempt, whose error is `error`.
    fn fail(
        &self,
        assigned: Assigned,
        failure: Failure,
        statistics: Option<Statistics>,
        error: &Error,
    ) {
        let (index, breakdown) = (assigned.index(), self.work.breakdown());
        let is_infrastructure = failure.kind.is_infrastructure();
        let again = assigned.fail(failure, statistics);
        match is_infrastructure {
            true => breakdown.record_failure(index, again.is_none(), || error.duplicate()),
            false => breakdown.record_run(),
        }
        again.into_iter().for_each(|again| self.work.run_again(again));
    }

    fn confused(&self, problem: &str) -> Error {
        Error::lost(
            &self.attempt.run_id,
            format!("a process sent an unexpected message: {problem}"),
        )
        .hint("its image must have the hype-run of this program's version")
    }
}

/// Returns the failure of an item whose process was lost. Its message has all causes, since the error of a lost item has
/// no others.
fn lost_failure(error: &Error) -> Failure {
    Failure::new(FailureKind::Infrastructure, one_line(error))
}

/// The items that a process has. The first one runs.
struct Fed<'a> {
    worker: u32,
    attempt: &'a Attempt,
    chunks: Chunks,
    has: VecDeque<Assigned>,
    /// The output of the running item, if it has written any.
    log: Option<ItemLog>,
    /// Whether an item has ended.
    has_ended: bool,
    /// Whether an item was interrupted, after which the process begins no other.
    is_stopping: bool,
    /// Whether the process can get no more items.
    is_cut: bool,
}

impl Fed<'_> {
    fn load(&self) -> Load {
        Load { items: self.has.len(), bytes: self.has.iter().map(Assigned::size).sum() }
    }

    fn add(&mut self, chunk: Vec<Assigned>) {
        let is_idle = self.has.is_empty();
        self.has.extend(chunk);
        if is_idle {
            self.begin();
        }
    }

    fn begin(&mut self) {
        if let Some(first) = self.has.front_mut() {
            first.begin(self.worker);
        }
    }

    fn write(&mut self, is_error: bool, bytes: &[u8]) {
        let Some(first) = self.has.front() else { return };
        let stream = if is_error { LogStream::Stderr } else { LogStream::Stdout };
        let log =
            self.log.get_or_insert_with(|| ItemLog::new(self.attempt.log.clone(), first.node()));
        log.write(stream, bytes);
        if let Some(output) = first.output() {
            output.write(stream, bytes);
        }
    }

    /// Returns the running item, which must be `index`. The next one [begins](Self::begin) once the end is recorded: a
    /// report has one running item for each worker.
    fn end(&mut self, index: u64, statistics: &Statistics) -> Option<Assigned> {
        let ended = self.has.pop_front_if(|first| first.index() == index)?;
        let took = statistics.start_us.saturating_add(statistics.run_us);
        self.chunks.record(Duration::from_micros(took));
        (self.log, self.has_ended) = (None, true);
        Some(ended)
    }
}
