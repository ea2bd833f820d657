//! Sockets by which other processes of a user list, follow and cancel the runs that a submitter of the user drives.
//!
//! Each submitter that starts a run serves one socket. Only its user can connect: the socket has the mode 0600, is in a
//! directory with the mode 0700, and both ends check the user of the other. A message is a length and a
//! [`ControlRequest`](hype_wire::ControlRequest) or [`ControlReply`](hype_wire::ControlReply), both of limited size.

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod directory;
#[cfg(unix)]
mod frame;
#[cfg(unix)]
mod server;
#[cfg(test)]
#[cfg(all(unix, feature = "local"))]
mod tests;
#[cfg(not(unix))]
mod unsupported;

#[cfg(unix)]
pub(crate) use client::{LocalRun, cancel, collect_sockets, follow, list};
#[cfg(unix)]
pub(crate) use server::serve;
#[cfg(not(unix))]
pub(crate) use unsupported::*;

/// The end of a request to cancel a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "without sockets, nothing is cancelled"))]
pub(crate) enum Cancelled {
    /// The submitter has cancelled and removed the run.
    Done,
    /// The submitter doesn't drive the run.
    Unknown,
    /// The submitter ended before it replied, as a program does whose only run is cancelled.
    ProgramEnded,
}
