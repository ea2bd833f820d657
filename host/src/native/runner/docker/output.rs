//! Output of containers, as the daemon sends it.

use bollard::container::LogOutput;

use crate::run::log::LogStream;

/// Returns the stream and the bytes of a chunk of output; `None` if it is input.
pub(super) fn stream_and_bytes(chunk: &LogOutput) -> Option<(LogStream, &[u8])> {
    match chunk {
        LogOutput::StdErr { message } => Some((LogStream::Stderr, message)),
        LogOutput::StdOut { message } | LogOutput::Console { message } => {
            Some((LogStream::Stdout, message))
        }
        LogOutput::StdIn { .. } => None,
    }
}
