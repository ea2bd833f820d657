//! Writes of the segments and the chunks of a staged map.

use bytes::Bytes;
use hype_stage::{Created, Source, Stage};
use hype_wire::{Blob, ItemEnd, ItemPayload, ItemResult, MapChunk, MapId, MapKey, names};

use crate::error::{Error, Result};
use crate::map::staged::commits::{Complete, NewResult};
use crate::map::staged::plan::{Chunk, Cut};

/// The place where a map is staged.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    stage: Stage,
    id: MapId,
    key: MapKey,
    /// The number of this program in the results.
    program: u64,
}

/// What was written.
pub(crate) enum Written {
    /// A segment with these chunks. Its items had this size in memory.
    Segment(Vec<Chunk>, u64),
    /// A chunk whose results had this size in memory.
    Chunk(u64),
}

impl Writer {
    /// Returns a writer with a new number of this program.
    ///
    /// # Errors
    ///
    /// An error if the system provides no random numbers.
    pub(crate) fn new(stage: Stage, id: MapId, key: MapKey) -> Result<Self> {
        Ok(Self { stage, id, key, program: random()? })
    }

    /// Creates a segment.
    ///
    /// # Errors
    ///
    /// An error if the segment can't be written, or if another program has written it.
    pub(crate) async fn write_segment(self, cut: Cut) -> Result<Written> {
        let Cut { first, bytes, blobs, chunks, size } = cut;
        for (blob, bytes) in blobs {
            self.put_blob(&blob, bytes).await?;
        }
        let sealed = Bytes::from(self.key.seal(bytes)?);
        match self.stage.create(&names::map_plan(&self.id, first), sealed).await? {
            Created::New => Ok(Written::Segment(chunks, size)),
            Created::Existing => {
                let problem = format!("the map {} cannot be continued", self.id);
                Err(Error::input(problem)
                    .because("another program continues it at the same time")
                    .hint(format!("attach to it: submitter.attach_map(\"{}\")", self.id)))
            }
        }
    }

    /// Commits a chunk, unless another program has.
    ///
    /// # Errors
    ///
    /// An error if the chunk can't be written.
    pub(crate) async fn write_chunk(self, complete: Complete) -> Result<Written> {
        let Complete { chunk, results } = complete;
        let size = results.iter().map(NewResult::size).sum();
        let mut committed = MapChunk::new(self.id.clone(), chunk.segment, chunk.number, chunk.plan);
        (committed.nonce, committed.program) = (random()?, self.program);
        for result in results {
            committed.results.push(self.result(result).await?);
        }
        let sealed = Bytes::from(self.key.seal(committed.to_bytes()?)?);
        let name = names::map_out(&self.id, chunk.segment, chunk.number);
        if self.stage.create(&name, sealed).await? == Created::Existing {
            tracing::debug!("another program has committed {name}");
        }
        Ok(Written::Chunk(size))
    }

    async fn result(&self, result: NewResult) -> Result<ItemResult> {
        let end = match result.end {
            Err(end) => end,
            // The map holds a large value, too, so that converting it to a vector would copy it.
            Ok(large) if large.len() > ItemPayload::INLINE_LIMIT => {
                let blob = Blob::of(&large);
                self.put_blob(&blob, large).await?;
                ItemEnd::Value(ItemPayload::Staged(blob))
            }
            Ok(value) => ItemEnd::Value(ItemPayload::Inline(hype_wire::Bytes(value.into()))),
        };
        let [stdout, stderr] = result.output.map(hype_wire::Bytes);
        let NewResult { attempts, statistics, times, .. } = result;
        Ok(ItemResult { statistics, times, stdout, stderr, ..ItemResult::new(end, attempts) })
    }

    async fn put_blob(&self, blob: &Blob, bytes: Bytes) -> Result<()> {
        let name = names::map_blob(&self.id, &blob.digest);
        Ok(self.stage.put_at(&name, blob, &Source::bytes(bytes)).await?)
    }
}

fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::runner("the system provides no random numbers", error))?;
    Ok(u64::from_le_bytes(bytes))
}
