//! The messages of a worker.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::command::CommandMessage;
use super::ends::parse_ends;
use super::frame::split;
use super::request::RequestMessage;
use super::violation::Violation;
use crate::codec;
use crate::failure::Frame;

/// The kinds of messages of a program to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ToWorkerKind {
    /// A call.
    Call = 0,
    /// A [`ResponseMessage`](super::ResponseMessage).
    Http = 1,
    /// Several calls.
    Batch = 2,
    /// A [`CommandReport`](super::CommandReport).
    Command = 3,
}

/// The kinds of messages of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FromWorkerKind {
    /// The worker has set itself up, and waits for calls.
    Ready = 0,
    /// The body is output of the guest.
    Stdout = 1,
    /// The body is error output of the guest.
    Stderr = 2,
    /// A part of the value or of the failure, before the last part.
    Part = 3,
    /// The last part of the value or of the failure, with a [`CallEnd`].
    End = 4,
    /// The worker could not set itself up; the body is the reason.
    Unusable = 5,
    /// The program has stopped the call; the body is the guest's stack in MessagePack.
    Stopped = 6,
    /// A [`RequestMessage`].
    Http = 7,
    /// The body has the ends of calls of a batch, see [`append_end`](super::append_end).
    Ends = 8,
    /// The body has the last ends of a batch, whose other calls have not begun.
    Returned = 9,
    /// A [`CommandMessage`].
    Command = 10,
    /// The parts of a large value follow. Parts before this message don't count. The head is the size of the value.
    Value = 11,
}

impl FromWorkerKind {
    const ALL: [Self; 12] = [
        Self::Ready,
        Self::Stdout,
        Self::Stderr,
        Self::Part,
        Self::End,
        Self::Unusable,
        Self::Stopped,
        Self::Http,
        Self::Ends,
        Self::Returned,
        Self::Command,
        Self::Value,
    ];
}

/// The end of a call. Its body is the last part of the value, or of the failure in MessagePack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEnd {
    /// Whether the call has failed.
    pub is_failure: bool,
    /// The time to set up the sandbox and instantiate the component, in microseconds.
    pub start_us: u64,
    /// The time of the call itself, in microseconds.
    pub run_us: u64,
    /// The processor time of the call, in microseconds.
    pub cpu_us: u64,
    /// The peak memory of the guest, in bytes.
    pub peak_memory: u64,
}

/// A message of a worker.
#[derive(Debug, PartialEq)]
pub enum FromWorker<'a> {
    /// The worker has set itself up, and waits for calls.
    Ready,
    /// Output of the guest.
    Stdout(&'a [u8]),
    /// Error output of the guest.
    Stderr(&'a [u8]),
    /// A part of the value or of the failure, before the last part.
    Part(&'a [u8]),
    /// The end of the call, with the last part of the value or of the failure.
    End(CallEnd, &'a [u8]),
    /// The worker could not set itself up, for this reason.
    Unusable(&'a [u8]),
    /// The program has stopped the call, with this stack of the guest.
    Stopped(Vec<Frame>),
    /// A message about an HTTP request, with its body.
    Http(RequestMessage, &'a [u8]),
    /// The ends of calls of a batch, with their values or their failures.
    Ends(Vec<(CallEnd, &'a [u8])>),
    /// The last ends of a batch, whose other calls have not begun.
    Returned(Vec<(CallEnd, &'a [u8])>),
    /// A message about a command, with its body.
    Command(CommandMessage, &'a [u8]),
    /// The parts of a value of this size follow, in bytes. Parts before this message don't count.
    Value(u64),
}

impl<'a> FromWorker<'a> {
    /// Parses any bytes.
    ///
    /// ```
    /// use hype_wire::worker::{FromWorker, FromWorkerKind, Violation, without_head};
    ///
    /// let mut message = without_head(FromWorkerKind::Stdout as u8).to_vec();
    /// message.extend(b"text");
    /// assert_eq!(FromWorker::parse(&message), Ok(FromWorker::Stdout(b"text")));
    /// assert_eq!(FromWorker::parse(b"text"), Err(Violation::Malformed));
    /// ```
    ///
    /// # Errors
    ///
    /// When the bytes are no message of a worker.
    pub fn parse(message: &'a [u8]) -> Result<Self, Violation> {
        let (kind, head, body) = split(message).ok_or(Violation::Malformed)?;
        let kind = FromWorkerKind::ALL.get(usize::from(kind)).ok_or(Violation::Malformed)?;
        let parsed = match kind {
            FromWorkerKind::End => return Ok(Self::End(decode(head)?, body)),
            FromWorkerKind::Http => return Ok(Self::Http(decode(head)?, body)),
            FromWorkerKind::Command => return Ok(Self::Command(decode(head)?, body)),
            FromWorkerKind::Value if body.is_empty() => return Ok(Self::Value(decode(head)?)),
            FromWorkerKind::Value => return Err(Violation::Malformed),
            FromWorkerKind::Ready => Self::Ready,
            FromWorkerKind::Stdout => Self::Stdout(body),
            FromWorkerKind::Stderr => Self::Stderr(body),
            FromWorkerKind::Part => Self::Part(body),
            FromWorkerKind::Unusable => Self::Unusable(body),
            FromWorkerKind::Stopped => Self::Stopped(decode(body)?),
            FromWorkerKind::Ends => Self::Ends(parse_ends(body).ok_or(Violation::Malformed)?),
            FromWorkerKind::Returned => {
                Self::Returned(parse_ends(body).ok_or(Violation::Malformed)?)
            }
        };
        if head.is_empty() { Ok(parsed) } else { Err(Violation::Malformed) }
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Violation> {
    codec::from_slice(bytes).map_err(|_| Violation::Malformed)
}

#[cfg(test)]
mod tests {
    use super::super::frame::{begin, without_head};
    use super::*;

    #[test]
    fn kinds_are_numbered_in_order() {
        for (number, kind) in FromWorkerKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
    }

    #[test]
    fn message_of_another_kind_or_with_another_head_is_rejected() {
        let unknown = without_head(12);
        let without_end = without_head(FromWorkerKind::End as u8);
        let with_head = begin(FromWorkerKind::Stdout as u8, &7_u8).unwrap();
        let no_ends = [&without_head(FromWorkerKind::Ends as u8)[..], b"no"].concat();
        let other_head = begin(FromWorkerKind::Http as u8, &7_u8).unwrap();
        let value = begin(FromWorkerKind::Value as u8, &7_u64).unwrap();
        assert_eq!(FromWorker::parse(&value), Ok(FromWorker::Value(7)));
        let with_body = [&value[..], b"body"].concat();
        for message in [&unknown[..], &without_end, &with_head, &other_head, &no_ends, &with_body] {
            assert_eq!(FromWorker::parse(message), Err(Violation::Malformed), "{message:?}");
        }
    }
}
