//! Runs: from a closure to its value, in the hands of its submitter, its runner, or of whoever attaches to it.

pub(crate) mod attach;
pub(crate) mod detach;
pub(crate) mod driver;
pub(crate) mod handle;
pub(crate) mod handover;
pub(crate) mod keys;
pub(crate) mod known;
pub(crate) mod lease;
pub(crate) mod log;
pub(crate) mod log_rest;
pub(crate) mod registry;
pub(crate) mod run_objects;
pub(crate) mod status;
pub(crate) mod submitter;
pub(crate) mod vouched;

pub use self::detach::DetachError;
pub use self::handle::Run;
pub use self::log::{LogLine, LogStream};
pub use self::status::Status;
pub use self::submitter::Submitter;
