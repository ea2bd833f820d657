//! Staged maps, which other commands can go on with.

use std::cell::Cell;
use std::collections::HashSet;
use std::ops::ControlFlow;

use futures::{StreamExt, stream};
use hype::__internal::{detach_on_drop, is_detached_on_drop, is_of_item};
use hype::ErrorKind;
use hype::component::EncodedValue;
use hype::map::Map;

use super::outcome::Outcome;
use super::output::Results;
use super::tally::Tally;
use crate::error::{Error, Result};
use crate::print::print_note;
use crate::streaming::{print_each, write_each};

/// Says how to go on with a staged map if it is dropped before its end, for example by Ctrl-C.
struct Interrupted<'a> {
    id: &'a str,
    is_over: &'a Cell<bool>,
}

impl Drop for Interrupted<'_> {
    fn drop(&mut self) {
        if !self.is_over.get() {
            let id = self.id;
            print_note(format!(
                "the map {id} is kept in the stage:\n  \
                 cargo hype attach {id} --output FILE  reads its results and runs the calls without one\n  \
                 cargo hype map .. --resume {id}       does so and goes on with the same input\n  \
                 cargo hype cancel {id}                removes it"
            ));
        }
    }
}

/// One result of a map.
struct Read {
    index: u64,
    /// False if the result is an error of the map itself.
    is_of_item: bool,
    /// True if the map stays in the stage when it is dropped.
    is_kept: bool,
    result: hype::Result<EncodedValue>,
}

/// Reads a staged map to its end, and writes the results that `results` doesn't have. The index of a result is the number
/// of its call. The map is kept in the stage if it ends earlier.
///
/// # Errors
///
/// If the map ends with an error of its own, or is incomplete, or if the output can't be written.
pub(crate) async fn read(map: Map<EncodedValue>, mut results: Results) -> Result<Tally> {
    detach_on_drop(&map);
    let id = map.id().unwrap_or_default().to_owned();
    let (done, is_stdout) = (results.take_done(), results.is_stdout());
    let mut tally = Tally::new(done.len() as u64);
    let is_over = Cell::new(false);
    let _interrupted = Interrupted { id: &id, is_over: &is_over };
    let ends = stream::unfold(map.unordered(), async |mut map| {
        let Some((index, result)) = map.next().await else {
            is_over.set(true);
            return None;
        };
        let (is_of_item, is_kept) = (is_of_item(&map, index), is_detached_on_drop(&map));
        Some((Read { index, is_of_item, is_kept, result }, map))
    });
    let write = |Read { index, is_of_item, is_kept, result }| match result {
        Err(error) if !is_of_item => {
            // The error of an incomplete map says how to go on.
            let is_explained = matches!(error.kind(), ErrorKind::Incomplete { .. });
            is_over.set(is_explained || !is_kept);
            Err(explain(&id, error))
        }
        result => write_result(&mut tally, &mut results, &done, index, result),
    };
    let read = match is_stdout {
        true => print_each(Box::pin(ends), write).await,
        false => write_each(Box::pin(ends), std::future::pending(), write).await,
    };
    read.inspect_err(|_| tally.summary().into_iter().for_each(print_note)).map(|()| tally)
}

fn write_result(
    tally: &mut Tally,
    results: &mut Results,
    done: &HashSet<u64>,
    index: u64,
    result: hype::Result<EncodedValue>,
) -> Result<ControlFlow<()>> {
    if done.contains(&index) {
        return Ok(ControlFlow::Continue(()));
    }
    let outcome = match result {
        // Its arguments could not be encoded.
        Err(error) if error.kind() == ErrorKind::Input => Outcome::of_invalid(error),
        result => Outcome::of_run(result),
    };
    tally.add(format!("item {index}"), &outcome);
    results.write(index, &outcome)
}

/// Returns the error of the map itself. That of an incomplete map names the command that goes on.
fn explain(id: &str, error: hype::Error) -> Error {
    match error.kind() {
        ErrorKind::Incomplete { staged } => Error::machinery(format!("the map {id} is incomplete"))
            .because(format!("its program ended after it had staged {staged} calls"))
            .hint(format!("cargo hype map .. --resume {id} goes on with the same input")),
        _ => error.into(),
    }
}
