//! Reads and verifies the segments and the chunks of a staged map.

use bytes::Bytes;
use hype_stage::{Stage, StageErrorKind};
use hype_wire::{Blob, Digest, ItemPayload, MapChunk, MapId, MapKey, MapSegment, WireError, names};

use crate::error::{Error, Result};
use crate::map::staged::plan::Chunk;

/// A staged map, as its readers see it.
#[derive(Debug, Clone)]
pub(crate) struct MapReader {
    pub(crate) stage: Stage,
    pub(crate) id: MapId,
    pub(crate) key: MapKey,
}

/// A verified segment, and its digest.
pub(crate) struct Segment {
    pub(crate) segment: MapSegment,
    pub(crate) digest: Digest,
}

impl MapReader {
    /// Reads the segment that follows `previous`; segment 0 without it. Returns `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Stage`](crate::ErrorKind::Stage) if it can't be read, or if another process wrote or altered it.
    pub(crate) async fn segment(&self, previous: Option<&Segment>) -> Result<Option<Segment>> {
        let (number, first) =
            previous.map_or((0, 0), |it| (it.segment.number + 1, it.segment.next()));
        let Some(found) = self.segment_at(first).await? else { return Ok(None) };
        let is_next = found.segment.number == number
            && found.segment.previous == previous.map(|it| it.digest)
            && previous.is_none_or(|it| it.segment.end.is_none());
        match is_next {
            true => Ok(Some(found)),
            false => {
                let name = names::map_plan(&self.id, first);
                Err(self.invalid(&name, "it does not follow the segment before it"))
            }
        }
    }

    /// Reads the segment whose first item has the index `first`, if there is one. It may follow any segment.
    ///
    /// # Errors
    ///
    /// [`Stage`](crate::ErrorKind::Stage) if it can't be read, or if another process wrote or altered it.
    pub(crate) async fn segment_at(&self, first: u64) -> Result<Option<Segment>> {
        let name = names::map_plan(&self.id, first);
        let Some(bytes) = self.find(&name, MapSegment::MAX_SEALED_SIZE).await? else {
            return Ok(None);
        };
        let digest = Digest::of(&bytes);
        let segment = MapSegment::from_bytes(&bytes).map_err(|error| self.invalid(&name, error))?;
        match segment.map_id == self.id && segment.first == first {
            true => Ok(Some(Segment { segment, digest })),
            false => Err(self.invalid(&name, "it has other items")),
        }
    }

    /// Reads the results of a chunk; `None` if it isn't committed.
    ///
    /// # Errors
    ///
    /// [`Stage`](crate::ErrorKind::Stage) if it can't be read, or if another process wrote or altered it.
    pub(crate) async fn chunk(&self, chunk: &Chunk) -> Result<Option<MapChunk>> {
        let name = names::map_out(&self.id, chunk.segment, chunk.number);
        let Some(bytes) = self.find(&name, MapChunk::MAX_SEALED_SIZE).await? else {
            return Ok(None);
        };
        let found = MapChunk::from_bytes(&bytes).map_err(|error| self.invalid(&name, error))?;
        let is_expected = found.map_id == self.id
            && (found.segment, found.chunk) == (chunk.segment, chunk.number)
            && found.plan == chunk.plan
            && found.results.len() == chunk.items as usize;
        match is_expected {
            true => Ok(Some(found)),
            false => Err(self.invalid(&name, "it has the results of other items")),
        }
    }

    /// Returns the bytes of arguments or of a value.
    pub(crate) async fn payload(&self, payload: ItemPayload) -> Result<Bytes> {
        match payload {
            ItemPayload::Inline(bytes) => Ok(Bytes::from(bytes.0)),
            ItemPayload::Staged(blob) => self.blob(&blob).await,
        }
    }

    async fn blob(&self, blob: &Blob) -> Result<Bytes> {
        let name = names::map_blob(&self.id, &blob.digest);
        Ok(self.stage.get_blob_at(&name, blob).await?)
    }

    /// Reads an object that is sealed with the map's key.
    async fn find(&self, name: &str, at_most: u64) -> Result<Option<Vec<u8>>> {
        match self.stage.get(name, at_most).await {
            Ok(bytes) => {
                let unsealed = self.key.unseal(bytes.into());
                unsealed.map(Some).map_err(|error| self.invalid(name, error))
            }
            Err(error) if error.kind() == StageErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn invalid(&self, name: &str, reason: impl Into<Problem>) -> Error {
        let problem = format!("{} cannot be used", self.stage.url_of(name));
        Error::stage(problem, reason.into().0).hint(format!(
            "cancel the map, cargo hype cancel {}, and find out which program writes to the stage",
            self.id
        ))
    }
}

/// The reason why an object is invalid.
struct Problem(Box<dyn std::error::Error + Send + Sync>);

impl From<WireError> for Problem {
    fn from(error: WireError) -> Self {
        Self(error.into())
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}
