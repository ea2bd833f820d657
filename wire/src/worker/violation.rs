//! Violations of the protocol by a worker.

use std::fmt;

/// The reason for which a worker's message is rejected, and the worker killed.
///
/// It continues a sentence that begins with the worker: "the worker process sent a malformed message".
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The message is none of a worker.
    Malformed,
    /// The message belongs to a request that was never begun or is closed.
    UnknownRequest,
    /// The guest has more requests than it may have.
    TooManyRequests,
    /// The message comes before the head of its request, or after the end of its body.
    OutOfOrder,
    /// The head or the trailers of a request are larger than those of any guest.
    HeadTooLarge,
    /// A frame without bytes.
    EmptyFrame,
    /// More bytes of a body than the window has room for.
    WindowExceeded,
    /// A report that more of a response was consumed than was sent.
    UnsentConsumed,
    /// The message belongs to a command that was never started.
    UnknownCommand,
    /// The guest has more commands than it may have.
    TooManyCommands,
    /// A start of a command before the response to the last one.
    StartPending,
    /// The request of a command is larger than that of any command that Linux starts.
    CommandTooLarge,
    /// The head or the trailers of a request are invalid, for this reason.
    InvalidRequest(&'static str),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "sent a malformed message",
            Self::UnknownRequest => "sent a message for an HTTP request that it doesn't have",
            Self::TooManyRequests => "has too many concurrent HTTP requests",
            Self::OutOfOrder => "sent the messages of an HTTP request in another order",
            Self::HeadTooLarge => "sent an HTTP request with too large a head",
            Self::EmptyFrame => "sent an empty frame of an HTTP body",
            Self::WindowExceeded => "sent more of an HTTP body than its window allows",
            Self::UnsentConsumed => "consumed more of an HTTP body than it was sent",
            Self::UnknownCommand => "sent a message for a command that it doesn't have",
            Self::TooManyCommands => "has too many concurrent commands",
            Self::StartPending => "started a command before the last one had started",
            Self::CommandTooLarge => "started a command with too many arguments",
            Self::InvalidRequest(reason) => {
                return write!(f, "sent an invalid HTTP request: {reason}");
            }
        })
    }
}

impl std::error::Error for Violation {}
