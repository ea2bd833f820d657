//! The errors of runs that left no outcome: why, and what they wrote last.

use std::error::Error as StdError;
use std::fmt;

use hype_wire::{Failure, FailureKind};

use crate::error::Error;

/// That the run `run_id` was lost for this reason, after it wrote these lines.
pub(crate) fn lost(run_id: &str, reason: String, said: &[String]) -> Error {
    let said = (!said.is_empty()).then(|| Said(said.to_vec()));
    Error::lost(run_id, Reason { reason, said })
}

/// That a run's container used up its memory, as `message` says. That is the function's own doing, so that the run is not
/// tried again.
pub(crate) fn out_of_memory(message: String, said: &[String]) -> Error {
    let said = (!said.is_empty()).then(|| Said(said.to_vec()).to_string());
    let causes = said.into_iter().collect();
    let failure = Failure { causes, ..Failure::new(FailureKind::Memory, message) };
    // The message names what ran, so that the function's name isn't needed.
    Error::failed("", failure)
}

/// Why a run was lost, and what it said last.
#[derive(Debug)]
struct Reason {
    reason: String,
    said: Option<Said>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl StdError for Reason {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.said.as_ref().map(|said| said as _)
    }
}

#[derive(Debug)]
struct Said(Vec<String>);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its last lines:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n      {line}"))
    }
}

impl StdError for Said {}
