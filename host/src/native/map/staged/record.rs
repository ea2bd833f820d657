//! The records of items whose results are in the stage, for the report of their map.

use hype_wire::{ItemEnd, ItemPayload, ItemResult, Statistics};

use crate::error::{Error, Result};
use crate::map::items::lost;
use crate::map::report::{ItemFailure, ItemRecord};

/// The record of an item that a program of its map ran.
pub(crate) struct StagedRecord {
    /// The number of the program, which counts its workers from 0.
    pub(crate) program: u64,
    pub(crate) record: ItemRecord,
}

/// Returns the record of the item `index`, with this number of bytes of arguments and the error that it ended with.
pub(crate) fn record_of(
    index: u64,
    arguments: u64,
    result: &ItemResult,
    error: Option<&Error>,
) -> ItemRecord {
    let ItemResult { end, attempts, statistics, times, .. } = result;
    let value = match end {
        ItemEnd::Value(value) => value.size(),
        _ => 0,
    };
    // Unknown ones are staged as zeros.
    let is_known = *statistics != Statistics::default();
    ItemRecord {
        worker: times.worker,
        attempts: *attempts,
        queued_us: times.queued_us,
        from_us: times.from_us(),
        until_us: times.until_us(),
        arguments,
        value,
        statistics: is_known.then(|| statistics.clone()),
        failure: error.map(ItemFailure::of),
        ..ItemRecord::new(index)
    }
}

/// Returns the value of the item `index` of `function`, or the error that it ended with.
pub(crate) fn value_of<'a>(
    index: u64,
    function: &str,
    end: &'a ItemEnd,
) -> Result<&'a ItemPayload> {
    match end {
        ItemEnd::Value(value) => Ok(value),
        ItemEnd::Failure(failure) => Err(Error::failed(function, failure.clone())),
        ItemEnd::Lost(reason) => Err(lost(index, reason)),
        ItemEnd::Rejected(message) => Err(Error::input(message.clone())),
    }
}
