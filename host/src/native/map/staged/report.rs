//! The report of a staged map, of the results that are in the stage.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use hype_stage::Stage;
use hype_wire::{MapChunk, PlannedItem};

use crate::error::{Error, Result};
use crate::map::report::workers::Workers;
use crate::map::report::{ItemRecord, Plan, Report};
use crate::map::staged::open::{self, first_segment};
use crate::map::staged::plan::{Chunk, chunks};
use crate::map::staged::reader::{MapReader, Segment};
use crate::map::staged::record::{record_of, value_of};
use crate::run::submitter::Submitter;

/// The number of chunks that are read concurrently.
const CONCURRENT_READS: usize = 8;

impl Submitter {
    /// Returns the report of the [staged map](crate::map::Map::staged) `id`, whichever programs have run its items: of
    /// all items whose results are in the stage. [`Report::plan`] has the number of items that are staged.
    ///
    /// The map may be running, or its program may be gone. Nothing runs for the report, and its memory doesn't grow with
    /// the number of items. A map that was read to its end by its own program has no report here any more; use
    /// [`Map::report`](crate::map::Map::report) there.
    ///
    /// ```no_run
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// let report = submitter.map_report("hype-run-tizxijbai4").await?;
    /// println!("{} of {} items failed", report.failed, report.items);
    /// report.to_html("report.html")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if there is no such map, or if this user has no key of it, and
    /// [`Stage`](crate::ErrorKind::Stage) if it can't be read, or if another process wrote or altered an object of it.
    pub async fn map_report(&self, id: &str) -> Result<Report> {
        read(self.stage(), id).await
    }
}

async fn read(stage: &Stage, id: &str) -> Result<Report> {
    open::check_is_map(stage, id).await?;
    let (reader, _) = open::reader(stage, id).await?;
    let mut segment = first_segment(&reader).await?;
    let committed = stage.map_outs(&reader.id).await?;
    let mut summary = Summary::of(&segment);
    loop {
        summary.add_segment(&reader, &segment, &committed).await?;
        if segment.segment.end.is_some() {
            break;
        }
        match reader.segment(Some(&segment)).await? {
            Some(next) => segment = next,
            None => break,
        }
    }
    let (items, is_complete) = (segment.segment.next(), segment.segment.end.is_some());
    Ok(Report { plan: Some(Plan { items, is_complete }), ..summary.report })
}

/// The report of the items that were read so far.
struct Summary {
    report: Report,
    workers: Workers,
}

impl Summary {
    /// Begins the report of a map with its first segment.
    fn of(first: &Segment) -> Self {
        let head = first.segment.head.as_ref();
        let function = first.segment.functions.first();
        let report = Report {
            started_unix_ms: head.map_or(0, |head| head.started_unix_us / 1000),
            function: function.map(|function| function.name.clone()).unwrap_or_default(),
            ..Report::default()
        };
        Self { report, workers: Workers::default() }
    }

    /// Adds the items of a segment that have results.
    async fn add_segment(
        &mut self,
        reader: &MapReader,
        segment: &Segment,
        committed: &BTreeSet<(u64, u32)>,
    ) -> Result<()> {
        let chunks = chunks(&segment.segment, segment.digest).into_iter();
        let chunks = chunks.filter(|chunk| committed.contains(&(chunk.segment, chunk.number)));
        let reads = chunks.map(async |chunk| reader.chunk(&chunk).await.map(|read| (chunk, read)));
        let mut reads = stream::iter(reads).buffered(CONCURRENT_READS);
        while let Some((chunk, results)) = reads.try_next().await? {
            // The map may be removed meanwhile.
            if let Some(results) = results {
                self.add_chunk(segment, &chunk, results);
            }
        }
        Ok(())
    }

    fn add_chunk(&mut self, segment: &Segment, chunk: &Chunk, read: MapChunk) {
        let from = (chunk.first - segment.segment.first) as usize;
        let items = segment.segment.items[from..].iter();
        for ((index, item), result) in (chunk.first..).zip(items).zip(&read.results) {
            let (arguments, error) = match item {
                PlannedItem::Rejected(message) => (0, Some(Error::input(message.clone()))),
                PlannedItem::Call(call) => {
                    let function = &segment.segment.functions[call.function as usize].name;
                    (call.arguments.size(), value_of(index, function, &result.end).err())
                }
            };
            let record = record_of(index, arguments, result, error.as_ref());
            let worker = record.worker;
            let worker = worker.and_then(|it| self.workers.of_program(read.program, it));
            self.report.record(ItemRecord { worker, ..record });
        }
    }
}
