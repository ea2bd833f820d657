//! The wire format of hype: the types that cross a process boundary, and nothing else.
//!
//! A submitter and its runner are different programs, often of different versions. They exchange
//! only the types of this crate, encoded as MessagePack and stored under the names of [`names`].
//! This crate does no I/O.
//!
//! - [`RunManifest`]: the description of a run, written by the submitter: a [`Job`] and a [`Call`].
//! - [`Outcome`]: the end of a run, written by the runner: a value or a [`Failure`].
//! - [`TerminationLine`]: the line by which a runner proves the outcome to the submitter.
//! - [`MapSegment`], [`MapChunk`]: the plan and the results of a staged map, proven by its [`MapKey`].
//! - [`seal`], [`unseal`]: the proof of an outcome where no termination line is available.
//! - [`Lease`]: the heartbeat of a run's owner, renewed by the submitter while the run lasts.
//! - [`LiveRun`]: the entry of a run in the index of live runs.
//! - [`ControlRequest`], [`ControlReply`]: the messages over a submitter's socket.
//! - [`FunctionRecord`]: the description of a function in a custom section of its component.
//! - [`codec`]: the encoding of values; [`Bytes`]: byte strings that are copied once.
//! - [`Powers`]: grants beyond computing; [`HttpGrant`] for HTTP hosts, [`CommandName`] for programs.
//! - [`launch`]: the command line, variables and files of `hype-run`.
//! - [`report`]: the text of an error; [`causes`]: its causes, even if they form a cycle.
//! - [`exit_status`]: the exit statuses of hype's programs.
//! - [`ERROR_MARK`], [`SILENT`], [`STARTED_AGAIN`]: marks in a runner's log and termination message.
//! - [`GuestPath`]: a path in a guest.
//! - [`item_seed`]: the seed of an item of a deterministic map.
//! - [`items`]: the messages between a submitter and a process that runs items of a map.
//! - [`wit`]: the conversion of values of functions with WIT types.
//! - `worker`, with the feature `workers`: the messages between a program and its worker processes.
//! - [`Digest`]: the BLAKE3 digest by which staged objects are named and verified.

mod address_class;
mod blob;
mod buffer;
mod bytes;
mod call;
mod causes;
mod control;
mod digest;
mod encoded;
mod error;
mod failure;
mod guest_path;
mod http_grant;
mod http_host;
mod item_seed;
mod job;
#[cfg(not(target_family = "wasm"))]
pub mod launch;
mod lease;
mod live_run;
mod log_marks;
mod manifest;
mod map;
mod object;
mod object_name;
mod outcome;
mod parts;
mod powers;
mod printable;
mod program;
mod report;
mod run_id;
mod seal;
mod shape;
mod shorten;
mod spelling;
mod termination;
pub mod text_argument;
mod value;
mod value_type;
mod version;
#[cfg(not(target_family = "wasm"))]
pub mod wit;
#[cfg(feature = "workers")]
pub mod worker;

pub mod codec;
pub mod exit_status;
pub mod items;
pub mod names;
pub mod section;

pub use address_class::AddressClass;
pub use blob::Blob;
pub use bytes::Bytes;
pub use call::{Call, FunctionRef, Payload};
pub use causes::{Causes, cause_messages, causes, one_line};
pub use control::{ControlAction, ControlReply, ControlRequest, DrivenRun};
pub use digest::{BlobHasher, Digest, InvalidDigest};
pub use encoded::EncodedValue;
pub use error::{Fault, WireError};
pub use failure::{Failure, FailureKind, Frame, Location, Remedy};
pub use guest_path::{GuestPath, is_below};
pub use http_grant::{HttpGrant, HttpScheme, HttpTarget};
pub use http_host::HttpHost;
pub use item_seed::item_seed;
pub use job::{Access, Artefact, ComponentRef, File, Job, Limits, Mount};
pub use lease::Lease;
pub use live_run::LiveRun;
pub use log_marks::{ERROR_MARK, SILENT, STARTED_AGAIN};
pub use manifest::RunManifest;
pub use map::{
    ItemEnd, ItemPayload, ItemResult, ItemTimes, MapChunk, MapContainers, MapFunction, MapHead,
    MapId, MapItem, MapKey, MapSegment, MapVolume, PlannedItem,
};
pub use object_name::ObjectName;
pub use outcome::{Code, End, Outcome, Statistics};
pub use parts::{PartHash, PartHasher};
pub use powers::{CommandName, CommandRights, Powers, VariableName};
pub use printable::{is_unprintable, printable};
pub use program::{ProgramArguments, ProgramOutput};
pub use report::{BACKTRACE, report};
pub use run_id::RunId;
pub use seal::{Authenticity, RunKey, seal, unseal};
pub use section::{Function, FunctionRecord, Parameter, ParameterRecord};
pub use termination::TerminationLine;
pub use text_argument::{NotJson, TextArgument, TextRecord};
pub use value_type::{ValueType, WitType};
pub use version::{HYPE_VERSION, OLDEST_FORMAT, WIRE_FORMAT};
