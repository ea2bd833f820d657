//! The items of a staged map, as the input of a map that attaches to it or resumes it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use hype_stage::Stage;
use hype_wire::{ItemResult, MapFunction, PlannedItem};

use crate::call::closure::Call;
use crate::error::{Error, ErrorKind, Result};
use crate::map::items::{ItemFunction, Returned, lost};
use crate::map::staged::open::{OpenedMap, POLL_INTERVAL, has_plan, open};
use crate::map::staged::plan::{Chunk, Planner, chunks};
use crate::map::staged::reader::{MapReader, Segment};
use crate::map::staged::record::{StagedRecord, record_of, value_of};
use crate::run::lease::{self, LeaseWatch};

/// A part of the input of a map.
pub(crate) enum Input {
    /// A closure of the program.
    Call(Call),
    /// A staged map, whose items follow.
    Opened(Box<OpenedMap>),
    /// A chunk without committed results, whose items follow.
    Chunk(Chunk),
    /// An item of the plan without a committed result.
    Item { function: Arc<ItemFunction>, arguments: Bytes, seed: Option<u64> },
    /// An item that must not run: its function, if it has one, and its result.
    Ended(Box<Ended>),
    /// The plan has no end, and closures of the program follow.
    Continue(Box<Planner>),
    /// The map ends with this error.
    Failed(Error),
}

/// An item that must not run.
pub(crate) struct Ended {
    /// The name of its function.
    pub(crate) function: String,
    pub(crate) result: Result<Returned>,
    /// The record of its committed result; `None` if the result is about to be committed.
    pub(crate) committed: Option<StagedRecord>,
}

/// The place of a staged map.
pub(crate) struct Place {
    pub(crate) stage: Stage,
    pub(crate) id: String,
    pub(crate) lease_term: Duration,
}

/// Returns the items of the staged map at `place`. If its plan has no end, the closures of `rest` follow that are not
/// planned yet.
pub(crate) fn staged_input(
    place: Place,
    rest: Option<BoxStream<'static, Call>>,
) -> BoxStream<'static, Input> {
    let source = Source { step: Step::Open(place), ready: VecDeque::new(), rest };
    let next = async |mut source: Source| {
        let input = source.next().await?;
        Some((input, source))
    };
    stream::unfold(source, next).boxed()
}

struct Source {
    step: Step,
    ready: VecDeque<Unread>,
    rest: Option<BoxStream<'static, Call>>,
}

enum Step {
    Open(Place),
    /// The chunks of a segment.
    Chunks(Box<Plan>),
    /// The closures that are not planned yet.
    Rest(BoxStream<'static, Call>),
    Over,
}

/// The plan while it is read.
struct Plan {
    reader: MapReader,
    loses_items: bool,
    committed: BTreeSet<(u64, u32)>,
    segment: Segment,
    functions: Vec<Arc<ItemFunction>>,
    owner: LeaseWatch,
    lease_term: Duration,
    /// The chunks of the segment that are not read yet.
    chunks: VecDeque<Chunk>,
}

/// An item whose bytes are not read yet.
enum Unread {
    Chunk(Chunk),
    Item(u64, PlannedItem, Option<Box<Committed>>),
}

/// A committed result, and the number of the program that ran its item.
struct Committed {
    program: u64,
    result: ItemResult,
}

impl Source {
    /// Returns the next input. The input ends after an error.
    async fn next(&mut self) -> Option<Input> {
        let input = self.try_next().await.unwrap_or_else(|error| Some(Input::Failed(error)));
        if let Some(Input::Failed(_)) | None = &input {
            self.step = Step::Over;
        }
        input
    }

    async fn try_next(&mut self) -> Result<Option<Input>> {
        loop {
            match &mut self.step {
                Step::Over => return Ok(None),
                Step::Rest(rest) => return Ok(rest.next().await.map(Input::Call)),
                Step::Open(place) => {
                    let (opened, first) = open(&place.stage, &place.id, place.lease_term).await?;
                    let committed = place.stage.map_outs(&opened.reader.id).await?;
                    let (reader, loses_items) = (opened.reader.clone(), opened.loses_items);
                    let plan = Plan::new(reader, loses_items, committed, first, place.lease_term);
                    self.step = Step::Chunks(Box::new(plan));
                    return Ok(Some(Input::Opened(Box::new(opened))));
                }
                Step::Chunks(plan) => {
                    if let Some(unread) = self.ready.pop_front() {
                        return plan.input(unread).await.map(Some);
                    }
                    if let Some(chunk) = plan.chunks.pop_front() {
                        self.ready = plan.read(chunk).await?;
                    } else if !plan.next_segment().await? {
                        return self.end_plan();
                    }
                }
            }
        }
    }

    /// Returns what follows the last segment in the stage.
    fn end_plan(&mut self) -> Result<Option<Input>> {
        let Step::Chunks(plan) = std::mem::replace(&mut self.step, Step::Over) else {
            return Ok(None);
        };
        let Segment { segment, digest } = &plan.segment;
        if segment.end.is_some() {
            return Ok(None);
        }
        let staged = segment.next();
        let Some(rest) = self.rest.take() else {
            return Err(incomplete(&plan.reader.id, staged));
        };
        self.step = Step::Rest(rest.skip(staged as usize).boxed());
        let map_id = plan.reader.id.clone();
        let planner = Planner::resume(map_id, segment.number + 1, staged, *digest);
        Ok(Some(Input::Continue(Box::new(planner))))
    }
}

impl Plan {
    fn new(
        reader: MapReader,
        loses_items: bool,
        committed: BTreeSet<(u64, u32)>,
        segment: Segment,
        lease_term: Duration,
    ) -> Self {
        let (functions, chunks) = (functions(&segment), all_chunks(&segment));
        let owner = LeaseWatch::new(Instant::now(), lease_term);
        Self { reader, loses_items, committed, segment, functions, owner, lease_term, chunks }
    }

    /// Reads the next segment, and returns whether there is one. Waits for it while the program of the map may write it.
    async fn next_segment(&mut self) -> Result<bool> {
        if self.segment.segment.end.is_some() {
            return Ok(false);
        }
        let mut is_abandoned = false;
        loop {
            if let Some(segment) = self.reader.segment(Some(&self.segment)).await? {
                (self.functions, self.chunks) = (functions(&segment), all_chunks(&segment));
                self.segment = segment;
                return Ok(true);
            }
            if is_abandoned {
                return Ok(false);
            }
            // The program may have written a segment before it ended, which is read once more.
            is_abandoned = self.is_abandoned().await?;
            if !is_abandoned {
                tokio::time::sleep(POLL_INTERVAL.min(self.lease_term / 3)).await;
            }
        }
    }

    /// Returns whether the program of the map adds no items any more: it has detached the map, or is gone.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if the map was removed.
    async fn is_abandoned(&mut self) -> Result<bool> {
        let MapReader { stage, id, .. } = &self.reader;
        let found = lease::find(stage, id).await?;
        if found.is_none() && !has_plan(stage, id).await? {
            let error = Error::input(format!("the map {id} was removed while it was read"));
            return Err(error.because("its program read it to its end, dropped or cancelled it"));
        }
        let is_expired = self.owner.update(found.as_ref(), Instant::now());
        Ok(is_expired || found.is_some_and(|lease| lease.detached))
    }

    /// Reads the results of a chunk, if it is committed.
    async fn read(&self, chunk: Chunk) -> Result<VecDeque<Unread>> {
        let from = (chunk.first - self.segment.segment.first) as usize;
        let items = self.segment.segment.items[from..from + chunk.items as usize].iter().cloned();
        let items = (chunk.first..).zip(items);
        if self.committed.contains(&(chunk.segment, chunk.number))
            && let Some(found) = self.reader.chunk(&chunk).await?
        {
            let program = found.program;
            let committed = |result| Some(Box::new(Committed { program, result }));
            let results = found.results.into_iter().map(committed);
            let unread = |((index, item), end)| Unread::Item(index, item, end);
            return Ok(items.zip(results).map(unread).collect());
        }
        let items = items.map(|(index, item)| Unread::Item(index, item, None));
        Ok(std::iter::once(Unread::Chunk(chunk)).chain(items).collect())
    }

    /// Returns an item with the bytes that it needs.
    async fn input(&self, unread: Unread) -> Result<Input> {
        let (index, item, committed) = match unread {
            Unread::Chunk(chunk) => return Ok(Input::Chunk(chunk)),
            Unread::Item(index, item, committed) => (index, item, committed),
        };
        let call = match item {
            PlannedItem::Call(call) => call,
            PlannedItem::Rejected(message) => {
                let error = Error::input(message);
                let record = |it: Box<Committed>| it.record(index, 0, Some(&error));
                let committed = committed.map(record);
                let (function, result) = (String::new(), Err(error));
                let ended = Ended { function, result, committed };
                return Ok(Input::Ended(Box::new(ended)));
            }
        };
        let function = Arc::clone(&self.functions[call.function as usize]);
        if let Some(committed) = committed {
            let size = call.arguments.size();
            let ended = self.ended(index, &function, size, *committed).await?;
            return Ok(Input::Ended(Box::new(ended)));
        }
        if self.loses_items {
            let name = function.name.clone();
            let result = Err(lost(index, "the program that ran it has ended"));
            return Ok(Input::Ended(Box::new(Ended { function: name, result, committed: None })));
        }
        let arguments = self.reader.payload(call.arguments).await?;
        Ok(Input::Item { function, arguments, seed: call.seed })
    }

    /// Returns the end of an item whose result is committed.
    async fn ended(
        &self,
        index: u64,
        function: &Arc<ItemFunction>,
        arguments: u64,
        committed: Committed,
    ) -> Result<Ended> {
        let value = value_of(index, &function.name, &committed.result.end);
        let record = committed.record(index, arguments, value.as_ref().err());
        let result = match value {
            Ok(value) => {
                let bytes = self.reader.payload(value.clone()).await?;
                Ok(Returned { function: Arc::clone(function), bytes })
            }
            Err(error) => Err(error),
        };
        Ok(Ended { function: function.name.clone(), result, committed: Some(record) })
    }
}

impl Committed {
    fn record(&self, index: u64, arguments: u64, error: Option<&Error>) -> StagedRecord {
        let record = record_of(index, arguments, &self.result, error);
        StagedRecord { program: self.program, record }
    }
}

fn functions(segment: &Segment) -> Vec<Arc<ItemFunction>> {
    let function = |it: &MapFunction| {
        let (name, reference) = (it.name.clone(), it.reference.clone());
        Arc::new(ItemFunction { name, reference, has_wit_types: it.has_wit_types, step: 0 })
    };
    segment.segment.functions.iter().map(function).collect()
}

fn all_chunks(segment: &Segment) -> VecDeque<Chunk> {
    chunks(&segment.segment, segment.digest).into()
}

/// Returns the error of a map whose program ended before it had staged all items.
fn incomplete(id: &str, staged: u64) -> Error {
    Error::new(ErrorKind::Incomplete { staged }, format!("the map {id} is incomplete"))
        .because(format!("its program ended after it had staged {staged} items"))
        .hint(format!(
            "submitter.map(closures, &env).resume(\"{id}\") goes on with the same closures"
        ))
}
