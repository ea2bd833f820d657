//! The value or the error that follows from the outcome of a run.

use bytes::Bytes;
use hype_stage::{Stage, StageError};
use hype_wire::{End, Failure, FailureKind, Outcome, Payload, one_line};

use crate::call::value;
use crate::error::{Error, Result};
use crate::run::driver::Dispatcher;

/// The hint about a program that trapped.
const ABORT_HINT: &str = "the program aborted, as it does after a panic: see its standard error";

impl Dispatcher {
    /// Returns the MessagePack of the value in `outcome`, or the failure of `function` as an error.
    pub(crate) async fn conclude(&self, function: &str, outcome: Outcome) -> Result<Bytes> {
        let failure = match outcome.end {
            End::Value(payload) => return read_value(&self.stage, payload).await,
            End::Failure(failure) => failure,
        };
        Err(match outcome.output {
            Some(output) => {
                failed_program(function, failure, read_value(&self.stage, output).await)
            }
            None => Error::failed(function, failure),
        })
    }
}

/// Returns the error of a program that ended with `failure`, with its output. The failure decides on a retry, whether or
/// not the output can be read.
fn failed_program(function: &str, mut failure: Failure, output: Result<Bytes>) -> Error {
    let is_trap = failure.kind == FailureKind::Trap;
    let unreadable = match output {
        Ok(output) => {
            failure.value = Some(Box::new(Vec::from(output).into()));
            None
        }
        Err(error) => Some(error),
    };
    let mut error = Error::failed(function, failure);
    if is_trap {
        error = error.hint(ABORT_HINT);
    }
    match unreadable {
        Some(unreadable) => {
            error.append_hint(format!("its output cannot be read: {}", one_line(&unreadable)))
        }
        None => error,
    }
}

async fn read_value(stage: &Stage, payload: Payload) -> Result<Bytes> {
    match payload {
        Payload::Inline(bytes) => Ok(Bytes::from(bytes.0)),
        Payload::Staged { name, blob } if blob.size <= Payload::MAX_SIZE => {
            stage.get_blob_at(&name, &blob).await.map_err(value::unavailable)
        }
        Payload::Staged { name, blob } => {
            let url = stage.url_of(&name);
            Err(StageError::too_large(&url, blob.size, Payload::MAX_SIZE).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: FailureKind, output: Result<Bytes>) -> Error {
        failed_program("train", Failure::new(kind, "it ended with 3"), output)
    }

    #[test]
    fn unreadable_output_keeps_the_failure() {
        let unreadable = || Err(Error::stage("cannot read the output", "connection refused"));
        let error = failed(FailureKind::Missing, unreadable());
        assert!(error.misses_object(), "{error:?}");
        assert!(failed(FailureKind::Infrastructure, unreadable()).is_infrastructure());
        let report = failed(FailureKind::Trap, unreadable()).report();
        let hint = "its output cannot be read: cannot read the output: connection refused";
        assert!(report.contains(ABORT_HINT) && report.ends_with(hint), "{report}");
    }

    #[test]
    fn readable_output_is_the_value_of_the_failure() {
        let error = failed(FailureKind::Exit, Ok(Bytes::from_static(b"output")));
        let value = error.failure().and_then(|failure| failure.value.as_ref()).unwrap();
        assert_eq!(value.0, b"output");
    }
}
