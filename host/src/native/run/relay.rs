//! Relays of a run's output to the program that submitted it.

use std::fmt;
use std::sync::Arc;

use crate::run::log::LogStream;

/// A receiver of a run's output while it runs.
pub trait ReceiveOutput: Send + Sync {
    /// Receives the next bytes of `stream`. If `are_exact`, the calls together pass exactly the bytes that the closure
    /// writes. Otherwise they pass the lines of the runner's log, which may differ in line feeds, and may be missing.
    ///
    /// The closure may wait until this function returns.
    fn receive(&self, stream: LogStream, bytes: &[u8], are_exact: bool);
}

/// A shared [`ReceiveOutput`].
#[derive(Clone)]
pub struct OutputRelay(pub Arc<dyn ReceiveOutput>);

impl fmt::Debug for OutputRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutputRelay")
    }
}
