//! The messages between a submitter and other processes of its user, over the submitter's socket.

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::run_id::RunId;
use crate::version::{HYPE_VERSION, Versioned, WIRE_FORMAT, read, write};

/// A request to a submitter about the runs that it drives.
///
/// ```
/// use hype_wire::{ControlAction, ControlRequest};
///
/// let request = ControlRequest::new(ControlAction::List);
/// assert_eq!(ControlRequest::from_bytes(&request.to_bytes()?)?.action, ControlAction::List);
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRequest {
    /// The format of the request.
    pub format: u32,
    /// The version of hype that sends the request.
    pub hype: String,
    /// The requested action.
    pub action: ControlAction,
}

/// An action that another process of the user requests from a submitter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlAction {
    /// Send a [`ControlReply::Run`] for each run.
    List,
    /// Send the lines of a run's log, each as a [`ControlReply::Line`].
    Log {
        /// The run's name.
        run_id: RunId,
        /// The maximum number of existing lines to send; `None` for all.
        tail: Option<u64>,
        /// Whether to send new lines, too, until the log ends.
        follow: bool,
    },
    /// Cancel a run, and remove everything that it created.
    Cancel {
        /// The run's name.
        run_id: RunId,
    },
}

/// A reply of a submitter. The last one of each request is [`Done`](Self::Done) or [`Failed`](Self::Failed).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlReply {
    /// A run that the submitter drives.
    Run(DrivenRun),
    /// A line of a log.
    Line {
        /// Whether the closure wrote the line to its standard error.
        is_error: bool,
        /// The text without control characters.
        text: String,
    },
    /// The request is done.
    Done,
    /// The submitter doesn't drive the run.
    Unknown,
    /// The action failed, for the reason in this message.
    Failed(String),
}

/// The description of a run by the submitter that drives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrivenRun {
    /// The run's name.
    pub run_id: RunId,
    /// The URL of the stage.
    pub stage_url: String,
    /// The function's name.
    pub function: String,
    /// The component's name.
    pub component: String,
    /// The number of the current attempt, counted from 1; 0 while the run is being staged.
    pub attempt: u32,
    /// Whether the run has ended, and its handle still exists.
    pub has_ended: bool,
    /// Whether the run is detached.
    pub is_detached: bool,
    /// The age of the run, in milliseconds.
    pub age_ms: u64,
}

impl ControlRequest {
    /// The maximum size of an encoded request, in bytes.
    pub const MAX_SIZE: u64 = 4 << 10;

    /// Creates a request in the current format.
    pub fn new(action: ControlAction) -> Self {
        Self { format: WIRE_FORMAT, hype: HYPE_VERSION.to_owned(), action }
    }

    /// Encodes the request.
    ///
    /// # Errors
    ///
    /// Returns an error if the request exceeds [`MAX_SIZE`](Self::MAX_SIZE).
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        write(self)
    }

    /// Decodes a request, in any supported format.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not a request, or if their format is not supported.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        read(bytes)
    }
}

impl Versioned for ControlRequest {
    const OBJECT: &'static str = "request to a submitter";
    const MAX_SIZE: u64 = Self::MAX_SIZE;
    const IF_NEWER: &'static str = "build the submitting program with hype {hype} or later";
    const IF_OLDER: &'static str = "use a newer cargo-hype";
}

/// The envelope of a reply.
#[derive(Serialize, Deserialize)]
struct Envelope {
    format: u32,
    hype: String,
    reply: ControlReply,
}

impl ControlReply {
    /// The maximum size of an encoded reply, in bytes: a line of 64 KiB, each byte of which was replaced by a character
    /// of three bytes.
    pub const MAX_SIZE: u64 = 256 << 10;

    /// Encodes the reply.
    ///
    /// # Errors
    ///
    /// Returns an error if the reply exceeds [`MAX_SIZE`](Self::MAX_SIZE).
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        let (format, hype) = (WIRE_FORMAT, HYPE_VERSION.to_owned());
        write(&Envelope { format, hype, reply: self.clone() })
    }

    /// Decodes a reply, in any supported format.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not a reply, or if their format is not supported.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        read::<Envelope>(bytes).map(|envelope| envelope.reply)
    }
}

impl Versioned for Envelope {
    const OBJECT: &'static str = "reply of a submitter";
    const MAX_SIZE: u64 = ControlReply::MAX_SIZE;
    const IF_NEWER: &'static str = "use cargo-hype {hype} or later";
    const IF_OLDER: &'static str = "build the submitting program with a newer hype";
}
