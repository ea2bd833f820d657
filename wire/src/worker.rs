//! The messages between a program and its worker processes, which the program treats as hostile.
//!
//! Both processes are of the same version of hype. A message is one byte for its kind, the size of its head in four bytes,
//! the head in MessagePack, and a body of bytes.
//!
//! - [`begin`], [`without_head`], [`split`]: the frame of a message.
//! - [`FromWorker`]: a message of a worker, with its sizes checked.
//! - [`append_end`], [`parse_ends`]: the ends of several calls.
//! - [`RequestMessage`], [`RequestHead`]: the HTTP requests of a worker's guest. [`OpenRequests`]: their states in the
//!   program.
//! - [`ResponseMessage`], [`ResponseHead`], [`HttpError`]: the responses of the program.
//! - [`CommandMessage`], [`CommandRequest`]: the commands of a worker's guest. [`OpenCommands`]: their states in the program.
//! - [`CommandReport`]: the responses of the program.
//! - [`Fields`]: the fields of a request, of a response, or of trailers.
//!
//! # Flow control
//!
//! Each body has a window of [`WINDOW`] bytes, which the sender of the body starts with. A frame of a body uses
//! [`frame_cost`] bytes of it, until the receiver reports that the frame has been consumed. The streams of commands are pipes,
//! whose ends the worker receives.

mod command;
mod ends;
mod fields;
mod frame;
mod message;
mod open_commands;
mod open_requests;
mod request;
mod response;
mod violation;

pub use command::{
    CommandEnd, CommandMessage, CommandReport, CommandReportStep, CommandRequest, CommandStep,
    CommandStream, MAX_COMMAND, StartError, StartErrorKind,
};
pub use ends::{append_end, parse_ends};
pub use fields::{FORBIDDEN_FIELDS, Fields};
pub use frame::{MAX_BODY, MAX_MESSAGE, begin, parts, split, without_head};
pub use message::{CallEnd, FromWorker, FromWorkerKind, ToWorkerKind};
pub use open_commands::{CommandEvent, OpenCommands};
pub use open_requests::{OpenRequests, RequestEvent};
pub use request::{
    MAX_HEAD, ParsedRequest, RequestHead, RequestMessage, RequestStep, Timeouts, WINDOW, frame_cost,
};
pub use response::{HttpError, ResponseHead, ResponseMessage, ResponseStep};
pub use violation::Violation;
