//! The output of one item of a staged map.

use crate::error::{Error, Result};
use crate::map::staged::plan::chunks;
use crate::map::staged::reader::MapReader;

/// The end of what an item of a staged map has written. [`Map::logs`](crate::map::Map::logs) returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemOutput {
    /// The last 64 KiB of its standard output.
    pub stdout: Vec<u8>,
    /// The last 64 KiB of its standard error.
    pub stderr: Vec<u8>,
}

/// Finds the output of the item `index` in its committed chunk.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if the item isn't staged, or if its chunk isn't committed.
pub(crate) async fn find(reader: &MapReader, index: u64) -> Result<ItemOutput> {
    let missing = |reason: &str| {
        let problem = format!("item {index} of the map {} has no output", reader.id);
        Error::input(problem).because(reason.to_owned())
    };
    let firsts = reader.stage.map_plans(&reader.id).await?;
    let segment = match firsts.range(..=index).next_back() {
        Some(first) => reader.segment_at(*first).await?,
        None => None,
    };
    let Some(segment) = segment.filter(|it| index < it.segment.next()) else {
        return Err(missing("the item is not staged"));
    };
    let chunks = chunks(&segment.segment, segment.digest);
    let Some(chunk) = chunks.into_iter().rfind(|chunk| chunk.first <= index) else {
        return Err(missing("the item is not staged"));
    };
    let Some(committed) = reader.chunk(&chunk).await? else {
        return Err(missing("an item of its chunk has not ended")
            .hint("the outputs of up to 64 consecutive items are staged together"));
    };
    let position = (index - chunk.first) as usize;
    let result = committed.results.into_iter().nth(position);
    let output = result.map(|it| ItemOutput { stdout: it.stdout.0, stderr: it.stderr.0 });
    output.ok_or_else(|| missing("the item is not staged"))
}
