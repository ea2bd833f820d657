//! The errors of runs that wrote no outcome: the reason, and the last lines of their output.

use std::error::Error as StdError;
use std::fmt;

use hype_wire::{Failure, FailureKind};

use crate::error::Error;

/// Returns the error of the lost run `run_id`, with the reason and the last lines of its output.
pub(crate) fn lost(run_id: &str, reason: String, last_lines: &[String]) -> Error {
    let last_lines = (!last_lines.is_empty()).then(|| LastLines(last_lines.to_vec()));
    Error::lost(run_id, Reason { reason, last_lines })
}

/// Returns the error of a run whose container ran out of memory. The function caused it, so the run is not retried.
pub(crate) fn out_of_memory(message: String, last_lines: &[String]) -> Error {
    let last_lines = (!last_lines.is_empty()).then(|| LastLines(last_lines.to_vec()).to_string());
    let causes = last_lines.into_iter().collect();
    let failure = Failure { causes, ..Failure::new(FailureKind::Memory, message) };
    // The message names the container, so the function's name isn't needed.
    Error::failed("", failure)
}

/// The reason for the loss of a run, with the last lines of its output as the cause.
#[derive(Debug)]
struct Reason {
    reason: String,
    last_lines: Option<LastLines>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl StdError for Reason {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.last_lines.as_ref().map(|last_lines| last_lines as _)
    }
}

#[derive(Debug)]
struct LastLines(Vec<String>);

impl fmt::Display for LastLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its last lines:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n      {line}"))
    }
}

impl StdError for LastLines {}
