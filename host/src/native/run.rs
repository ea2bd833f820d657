//! Runs and submitters: from a closure to its value.
//!
//! A run belongs to its submitter until it is detached. Other programs can attach to it.

pub(crate) mod attach;
pub(crate) mod attempt_logs;
pub(crate) mod attempts;
pub(crate) mod chained;
mod conclusion;
pub(crate) mod control;
pub(crate) mod detach;
pub(crate) mod driven;
pub(crate) mod driver;
pub(crate) mod handle;
pub(crate) mod handover;
pub(crate) mod key_store;
pub(crate) mod keys;
pub(crate) mod lease;
pub(crate) mod listing;
pub(crate) mod log;
pub(crate) mod log_backfill;
pub(crate) mod measured;
pub(crate) mod outcome;
pub(crate) mod poll_pause;
pub(crate) mod registry;
pub(crate) mod relay;
pub(crate) mod resources;
pub(crate) mod run_objects;
pub(crate) mod status;
pub(crate) mod submitter;
pub(crate) mod unfinished_line;

pub use self::detach::DetachError;
pub use self::handle::Run;
pub use self::listing::{LogOptions, RunDetails, RunInfo, RunOwner, RunScope, RunStatus};
pub use self::log::{LogLine, LogStream};
pub use self::status::Status;
pub use self::submitter::Submitter;
pub use hype_wire::Statistics;
