//! What crosses a process boundary in hype, and nothing else.
//!
//! A submitter and the runner that works for it are different programs, often of different
//! versions. All that they say to each other is written with the types of this crate, as
//! MessagePack, under the names of [`names`]. There is no IO here: whoever reads or writes bytes
//! does it elsewhere.
//!
//! - [`RunManifest`]: what to run, written by the submitter: a [`Job`] and a [`Call`] of one of its functions.
//! - [`Outcome`]: how it ended, written by the runner, with a value or a [`Failure`].
//! - [`causes`]: the causes of an error, even of one that is its own cause.
//! - [`report`]: an error as people read it; [`exit_status`]: what programs end with.
//! - [`TerminationLine`]: the one line by which the runner vouches for an outcome.
//! - [`seal`]: how it vouches for one without that line.
//! - [`Lease`]: that somebody takes care of a run, written by the submitter while it goes on.
//! - [`FunctionRecord`]: what a component says of its functions, in a custom section.
//! - [`codec`]: values as hype writes and reads them; [`Bytes`], byte strings in one copy.
//! - [`ERROR_MARK`], [`SILENT`], [`STARTED_AGAIN`]: how the guest's two outputs are told apart in one log.
//! - [`Powers`]: what a closure may do beyond computing; [`HttpGrant`], whom it may ask; [`CommandName`],
//!   what it may start.
//! - [`launch`]: how `hype-run` is started: its command line, variables and files.
//! - [`check_guest_path`]: where in a guest something of ours may stand.
//! - [`Digest`]: the BLAKE3 name of a staged object.

mod blob;
mod bytes;
mod call;
mod causes;
mod digest;
mod encoded;
mod error;
mod failure;
mod guest_path;
mod http_grant;
mod http_host;
mod job;
#[cfg(not(target_family = "wasm"))]
pub mod launch;
mod lease;
mod manifest;
mod object;
mod one_log;
mod outcome;
mod powers;
mod reach;
mod report;
mod seal;
mod shape;
mod shorten;
mod termination;
pub mod text_argument;
mod value;
mod value_type;
mod version;
mod whole;

pub mod codec;
pub mod exit_status;
pub mod names;
pub mod section;

pub use blob::Blob;
pub use bytes::Bytes;
pub use call::{Call, FunctionRef, Payload};
pub use causes::{Causes, cause_messages, causes};
pub use digest::{BlobHasher, Digest, InvalidDigest};
pub use encoded::EncodedValue;
pub use error::{Fault, WireError};
pub use failure::{Failure, FailureKind, Frame, Location, Remedy};
pub use guest_path::{check_guest_path, is_below};
pub use http_grant::{HttpGrant, HttpScheme, HttpTarget};
pub use http_host::HttpHost;
pub use job::{Access, Artefact, ComponentRef, File, Job, Limits, Mount};
pub use lease::Lease;
pub use manifest::RunManifest;
pub use one_log::{ERROR_MARK, SILENT, STARTED_AGAIN};
pub use outcome::{Code, End, Outcome, Statistics};
pub use powers::{CommandName, Powers};
pub use reach::Reach;
pub use report::{BACKTRACE, report};
pub use seal::{Origin, RunKey, seal, unseal};
pub use section::{Function, FunctionRecord, Parameter, ParameterRecord};
pub use termination::TerminationLine;
pub use text_argument::{NotJson, TextArgument};
pub use value_type::{ValueType, WitType};
pub use version::{HYPE_VERSION, OLDEST_FORMAT, WIRE_FORMAT};
