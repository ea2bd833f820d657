//! The messages between a submitter and a process that runs items of a map, and their frames.
//!
//! They travel over a channel that only the two can write to, such as the standard streams of a container.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

use crate::bytes::Bytes;
use crate::call::FunctionRef;
use crate::error::WireError;
use crate::failure::Failure;
use crate::object;
use crate::outcome::Statistics;

/// The size of a frame's head, which holds the size of the message.
const HEAD: usize = 8;

/// The maximum size of a message: the largest byte string of MessagePack, and what surrounds it.
const MAX_MESSAGE: u64 = (4 << 30) + (1 << 20);

/// The maximum capacity that is kept for further messages after all were returned.
const KEPT: usize = 1 << 20;

/// Items that the submitter assigns to a process, which runs them one after the other. The submitter sends [`SentBytes`] as
/// their arguments, without a copy of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemChunk<A = Bytes> {
    /// The items, in the order in which they run.
    pub items: Vec<AssignedItem<A>>,
}

/// An item of a map: a call of a function of the job's component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedItem<A = Bytes> {
    /// The position of the item in its map, counted from 0. A merge of a reduction has a number of its own, from 2^63 on.
    pub index: u64,
    /// The called function.
    pub function: FunctionRef,
    /// The seed that replaces that of the job.
    #[serde(default)]
    pub seed: Option<u64>,
    /// The memory limit that replaces that of the job, in bytes.
    #[serde(default)]
    pub memory: Option<u64>,
    /// A MessagePack array with one element for each parameter. Nothing follows it, so that a frame with a large one doesn't
    /// grow any more.
    pub arguments: A,
}

/// Borrowed bytes, which have the encoding of [`Bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentBytes<'a>(pub &'a [u8]);

impl Serialize for SentBytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// A message of a process that runs items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemMessage {
    /// The job is prepared, and the process waits for items.
    Ready,
    /// The job can't be prepared. The process ends.
    Unprepared(Failure),
    /// Bytes that the running item wrote.
    Output {
        /// Whether it wrote them to its standard error.
        is_error: bool,
        /// The bytes.
        bytes: Bytes,
    },
    /// The running item has ended. The next one begins.
    Ended {
        /// The item's index.
        index: u64,
        /// The value as MessagePack, or the failure.
        end: AttemptEnd,
        /// The durations and sizes of the call.
        statistics: Statistics,
    },
}

/// The end of one attempt at an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptEnd {
    /// The function's value, as MessagePack.
    Value(Bytes),
    /// The failure, if there is no value.
    Failure(Failure),
}

/// A message that is received in frames.
pub trait Framed: DeserializeOwned {
    /// Truncates the texts that are too long.
    #[must_use]
    fn shortened(self) -> Self {
        self
    }
}

impl Framed for ItemChunk {}

impl Framed for ItemMessage {
    fn shortened(self) -> Self {
        match self {
            Self::Unprepared(failure) => Self::Unprepared(failure.shortened()),
            Self::Ended { index, end, statistics } => {
                let end = match end {
                    AttemptEnd::Failure(failure) => AttemptEnd::Failure(failure.shortened()),
                    value => value,
                };
                Self::Ended { index, end, statistics: statistics.shortened() }
            }
            Self::Ready | Self::Output { .. } => self,
        }
    }
}

/// Returns the frame of a message: its size in eight bytes, most significant byte first, and its MessagePack.
///
/// # Errors
///
/// Returns an error if the message has no MessagePack form, for example since its arguments exceed 4 GiB.
pub fn frame<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let mut frame = vec![0; HEAD];
    object::append(&mut frame, message)?;
    let size = (frame.len() - HEAD) as u64;
    frame[..HEAD].copy_from_slice(&size.to_be_bytes());
    Ok(frame)
}

/// Splits the bytes of a channel into messages.
///
/// ```
/// use hype_wire::items::{Frames, ItemMessage, frame};
///
/// let bytes = frame(&ItemMessage::Ready)?;
/// let mut frames = Frames::default();
/// frames.push(&bytes[..5]);
/// assert_eq!(frames.next_message()?, None);
/// frames.push(&bytes[5..]);
/// assert_eq!(frames.next_message()?, Some(ItemMessage::Ready));
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug)]
pub struct Frames<T> {
    bytes: Vec<u8>,
    /// The position in `bytes` of the first frame that was not returned yet.
    start: usize,
    message: PhantomData<fn() -> T>,
}

impl<T> Default for Frames<T> {
    fn default() -> Self {
        Self { bytes: Vec::new(), start: 0, message: PhantomData }
    }
}

impl<T: Framed> Frames<T> {
    /// Adds bytes that were received.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next message, if all of it was received.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are no message. The channel is then unusable.
    pub fn next_message(&mut self) -> Result<Option<T>, WireError> {
        let Some((head, rest)) = self.bytes[self.start..].split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let size = u64::from_be_bytes(*head);
        if size > MAX_MESSAGE {
            return Err(WireError::new("the bytes are no message about items of a map"));
        }
        let Some(message) = usize::try_from(size).ok().and_then(|size| rest.get(..size)) else {
            return Ok(None);
        };
        let decoded = object::from_slice::<T>(message).map_err(|error| {
            WireError::new("a message about items of a map cannot be read").because(error)
        });
        self.start += HEAD + message.len();
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT);
            self.start = 0;
        }
        decoded.map(|message| Some(message.shortened()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    fn ended(end: AttemptEnd) -> ItemMessage {
        ItemMessage::Ended { index: 7, end, statistics: Statistics::default() }
    }

    #[test]
    fn messages_are_split_wherever_the_channel_splits_them() {
        let messages = [
            ItemMessage::Ready,
            ItemMessage::Output { is_error: true, bytes: Bytes(vec![0; 300]) },
            ended(AttemptEnd::Value(Bytes(vec![0xc3]))),
            ended(AttemptEnd::Failure(Failure::new(FailureKind::Panic, "no oven"))),
            ItemMessage::Unprepared(Failure::new(FailureKind::Missing, "no component")),
        ];
        let bytes: Vec<_> = messages.iter().flat_map(|message| frame(message).unwrap()).collect();
        for size in [1, 7, 8, 9, 100, bytes.len()] {
            let (mut frames, mut received) = (Frames::<ItemMessage>::default(), Vec::new());
            for part in bytes.chunks(size) {
                frames.push(part);
                while let Some(message) = frames.next_message().unwrap() {
                    received.push(message);
                }
            }
            assert_eq!(received, messages, "parts of {size} bytes");
        }
    }

    fn chunk<A: Clone>(arguments: A) -> ItemChunk<A> {
        let item = AssignedItem {
            index: u64::MAX,
            function: FunctionRef::Closure("p::f".into()),
            arguments,
            seed: Some(1),
            memory: None,
        };
        ItemChunk { items: vec![item.clone(), AssignedItem { index: 0, ..item }] }
    }

    #[test]
    fn chunk_of_borrowed_arguments_decodes_to_an_equal_one() {
        let mut frames = Frames::default();
        frames.push(&frame(&chunk(SentBytes(&[0x90]))).unwrap());
        assert_eq!(frames.next_message().unwrap(), Some(chunk(Bytes(vec![0x90]))));
    }

    #[test]
    fn arguments_are_copied_once_into_their_frame() {
        let arguments = vec![0; 8 << 20];
        let chunk = chunk(SentBytes(&arguments));
        let chunk = ItemChunk { items: vec![chunk.items[0].clone()] };
        let frame = frame(&chunk).unwrap();
        // The bytes around them are in the frame from the beginning.
        assert!(frame.capacity() < arguments.len() + (1 << 10), "{}", frame.capacity());
    }

    #[test]
    fn bytes_of_another_program_are_rejected() {
        for bytes in [b"hello world".as_slice(), &[0; 9], &[0, 0, 0, 0, 0, 0, 0, 1, 0xc1]] {
            let mut frames = Frames::<ItemMessage>::default();
            frames.push(bytes);
            frames.next_message().unwrap_err();
        }
    }

    #[test]
    fn claimed_size_allocates_nothing() {
        let mut frames = Frames::<ItemMessage>::default();
        frames.push(&[&MAX_MESSAGE.to_be_bytes(), b"a".as_slice()].concat());
        assert_eq!(frames.next_message().unwrap(), None);
        assert!(frames.bytes.capacity() < 1 << 10);
    }

    #[test]
    fn memory_of_large_message_is_freed() {
        let mut frames = Frames::default();
        frames.push(&frame(&ended(AttemptEnd::Value(Bytes(vec![0; 8 * KEPT])))).unwrap());
        assert!(frames.next_message().unwrap().is_some());
        assert!(frames.bytes.capacity() <= KEPT, "{}", frames.bytes.capacity());
        frames.push(&frame(&ItemMessage::Ready).unwrap());
        assert_eq!(frames.next_message().unwrap(), Some(ItemMessage::Ready));
    }

    #[test]
    fn long_failure_is_shortened() {
        let failure = Failure::new(FailureKind::Panic, "a".repeat(1 << 20));
        let mut frames = Frames::default();
        frames.push(&frame(&ended(AttemptEnd::Failure(failure))).unwrap());
        let Some(ItemMessage::Ended { end: AttemptEnd::Failure(failure), .. }) =
            frames.next_message().unwrap()
        else {
            panic!("no failure")
        };
        assert!(failure.message.len() < 32 << 10);
    }
}
