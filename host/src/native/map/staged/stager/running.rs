//! A stager that runs: what waits to be written, and what is being written.

use std::collections::VecDeque;
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Event, Shared, Writer};
use crate::error::Result;
use crate::map::staged::commits::{Commits, Complete};
use crate::map::staged::plan::{Cut, Planner};
use crate::map::staged::writer::Written;
use crate::run::lease::Lease;
use crate::run::run_objects::RunObjects;

/// The time after which items are written even if their segment isn't full.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// The maximum number of chunks that are written concurrently.
const MAX_WRITES: usize = 16;

/// The run that owns a staged map.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) lease: Lease,
    pub(crate) objects: RunObjects,
}

/// The state of a stager.
pub(super) struct Running {
    writer: Writer,
    planner: Option<Planner>,
    owner: Option<Owner>,
    commits: Commits,
    /// Segments and chunks that wait to be written.
    segments: VecDeque<Cut>,
    chunks: VecDeque<Complete>,
    writes: FuturesUnordered<BoxFuture<'static, Result<Written>>>,
    is_writing_segment: bool,
    flushes: Vec<oneshot::Sender<()>>,
    /// The time at which the items of the plan are written.
    deadline: Option<Instant>,
}

impl Running {
    pub(super) fn new(writer: Writer, planner: Option<Planner>, owner: Option<Owner>) -> Self {
        Self {
            writer,
            planner,
            owner,
            commits: Commits::default(),
            segments: VecDeque::new(),
            chunks: VecDeque::new(),
            writes: FuturesUnordered::new(),
            is_writing_segment: false,
            flushes: Vec::new(),
            deadline: None,
        }
    }

    /// Writes until the map is dropped.
    pub(super) async fn run(
        &mut self,
        events: &mut UnboundedReceiver<Event>,
        shared: &Weak<Shared>,
    ) -> Result<()> {
        loop {
            self.start_writes();
            let deadline = self.deadline;
            let delay = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(written) = self.writes.next(), if !self.writes.is_empty() => {
                    let size = self.end_write(written?);
                    if let Some(shared) = shared.upgrade() {
                        shared.pending.fetch_sub(size, Ordering::Relaxed);
                        shared.waker.wake();
                    }
                }
                event = events.recv() => match event {
                    Some(event) => self.handle(event).await?,
                    None => return Ok(()),
                },
                () = delay => self.cut(false)?,
            }
        }
    }

    /// Writes everything that the dropped map has left, and detaches the map.
    pub(super) async fn leave(&mut self, events: &mut UnboundedReceiver<Event>) -> Result<()> {
        while let Ok(event) = events.try_recv() {
            self.handle(event).await?;
        }
        self.cut(false)?;
        self.start_writes();
        while let Some(written) = self.writes.next().await {
            self.end_write(written?);
            self.start_writes();
        }
        match &self.owner {
            Some(owner) => owner.detach().await,
            None => Ok(()),
        }
    }

    /// Waits for the last writes. After an error the map is kept.
    pub(super) async fn end(mut self, result: Result<()>) -> Result<()> {
        // Nothing is written after the end of the stager.
        while self.writes.next().await.is_some() {}
        result.map_err(|error| match &self.owner {
            Some(owner) => {
                // Before the map knows of the error, which ends it.
                owner.objects.keep();
                error.append_hint("the map is kept in the stage, and Map::resume goes on with it")
            }
            None => error,
        })
    }

    /// Starts the writes that may start: one segment at a time, since each follows the one before it.
    fn start_writes(&mut self) {
        if !self.is_writing_segment
            && let Some(cut) = self.segments.pop_front()
        {
            self.is_writing_segment = true;
            self.writes.push(self.writer.clone().write_segment(cut).boxed());
        }
        while self.writes.len() < MAX_WRITES
            && let Some(complete) = self.chunks.pop_front()
        {
            self.writes.push(self.writer.clone().write_chunk(complete).boxed());
        }
        if self.writes.is_empty() {
            for flushed in self.flushes.drain(..) {
                // An error means that nothing waits for it any more.
                let _ = flushed.send(());
            }
        }
    }

    /// Returns the size of what was written.
    fn end_write(&mut self, written: Written) -> u64 {
        match written {
            Written::Chunk(size) => size,
            Written::Segment(chunks, size) => {
                self.is_writing_segment = false;
                // Their results may follow, now that the plan is in the stage.
                let complete = chunks.into_iter().filter_map(|chunk| self.commits.add(chunk));
                self.chunks.extend(complete);
                size
            }
        }
    }

    async fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Item(item) => {
                let Some(planner) = &mut self.planner else { return Ok(()) };
                planner.add(item);
                match planner.is_full() {
                    true => self.cut(false)?,
                    false => {
                        self.deadline.get_or_insert_with(|| Instant::now() + MAX_DELAY);
                    }
                }
            }
            Event::InputEnded => self.cut(true)?,
            Event::Chunk(chunk) => self.chunks.extend(self.commits.add(chunk)),
            Event::Continue(planner) => self.planner = Some(*planner),
            Event::Ended(index, result) => self.chunks.extend(self.commits.end(index, *result)),
            Event::Flush(sender) => {
                self.cut(false)?;
                self.flushes.push(sender);
            }
            Event::Detach(sender) => {
                let detached = match &self.owner {
                    Some(owner) => owner.detach().await,
                    None => Ok(()),
                };
                // An error means that the map was dropped.
                let _ = sender.send(detached);
            }
        }
        Ok(())
    }

    /// Ends the segment of the items so far, unless it is empty and not the last one.
    fn cut(&mut self, is_last: bool) -> Result<()> {
        self.deadline = None;
        let Some(planner) = self.planner.as_mut().filter(|it| is_last || !it.is_empty()) else {
            return Ok(());
        };
        self.segments.push_back(planner.cut(is_last)?);
        if is_last {
            self.planner = None;
        }
        Ok(())
    }
}

impl Owner {
    async fn detach(&self) -> Result<()> {
        self.lease.detach().await?;
        self.objects.keep();
        Ok(())
    }
}
