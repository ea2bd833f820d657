//! The messages of a worker that make up the end of its call.

use std::io;

use hype_wire::worker::{CallEnd, FromWorker, Violation};
use hype_wire::{Failure, codec};

use super::call::Request;
use crate::execution::Execution;
use crate::large_pages;
use crate::output::Stream;

/// The maximum size of a failure, in bytes.
const MAX_FAILURE: u64 = 1 << 20;

/// The messages of a call so far.
pub(super) struct Progress<'a> {
    request: &'a Request<'a>,
    value: Value,
}

impl<'a> Progress<'a> {
    pub(super) fn new(request: &'a Request<'a>) -> Self {
        Self { request, value: Value::new(request.max_value) }
    }

    /// Handles one message. Returns the end of the call.
    pub(super) fn advance(&mut self, message: FromWorker<'_>) -> io::Result<Option<Execution>> {
        let Request { output, max_value, .. } = *self.request;
        match message {
            FromWorker::Stdout(bytes) => output.write(Stream::Stdout, bytes),
            FromWorker::Stderr(bytes) => output.write(Stream::Stderr, bytes),
            FromWorker::Value(size) => self.value.begin(size)?,
            FromWorker::Part(part) => self.value.append(part)?,
            FromWorker::End(end, part) => {
                self.value.append(part)?;
                return execution(end, self.value.take(), max_value).map(Some);
            }
            FromWorker::Ready
            | FromWorker::Unusable(_)
            | FromWorker::Stopped(_)
            | FromWorker::Http(..)
            | FromWorker::Command(..)
            | FromWorker::Ends(_)
            | FromWorker::Returned(_) => return Err(violation(&Violation::Malformed)),
        }
        Ok(None)
    }
}

/// The parts of a value, or of a failure.
pub(super) struct Value {
    bytes: Vec<u8>,
    /// The maximum size, in bytes.
    maximum: u64,
}

impl Value {
    pub(super) fn new(max_value: u64) -> Self {
        Self { bytes: Vec::new(), maximum: max_value.max(MAX_FAILURE) }
    }

    /// Begins a value of `size` bytes.
    pub(super) fn begin(&mut self, size: u64) -> io::Result<()> {
        self.bytes = Vec::new();
        match usize::try_from(size) {
            Ok(bytes) if size <= self.maximum => {
                large_pages::reserve_exact(&mut self.bytes, bytes);
                Ok(())
            }
            _ => Err(too_large()),
        }
    }

    pub(super) fn append(&mut self, part: &[u8]) -> io::Result<()> {
        if (self.bytes.len() + part.len()) as u64 > self.maximum {
            return Err(too_large());
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

pub(super) fn execution(end: CallEnd, bytes: Vec<u8>, max_value: u64) -> io::Result<Execution> {
    let CallEnd { is_failure, start_us, run_us, cpu_us, peak_memory } = end;
    let value = if is_failure {
        let failure: Failure = codec::from_slice(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Err(failure.shortened())
    } else if bytes.len() as u64 > max_value {
        return Err(too_large());
    } else {
        Ok(bytes)
    };
    Ok(Execution { value, output: None, start_us, run_us, cpu_us, peak_memory })
}

fn too_large() -> io::Error {
    io::Error::other("the worker sent too large a value")
}

/// Returns the error of a call whose worker violates the protocol.
pub(super) fn violation(violation: &Violation) -> io::Error {
    io::Error::other(format!("the worker process {violation}"))
}
