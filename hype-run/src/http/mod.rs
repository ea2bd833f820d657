//! HTTP requests of guests, if the environment grants them.
//!
//! Guests send requests through `wasi:http`. For each request, a grant must cover its scheme, host and port.
//! The host's name is resolved once, addresses that the grant doesn't allow are dropped, and the
//! connection goes to one of the others. The host follows no redirects; a guest's client may follow one by
//! another request, which is checked too.
//!
//! - `destination`: finds the grants that cover a request. No IO.
//! - `resolver`: resolves a host name to addresses.
//! - `tls`: verifies server certificates.
//! - `connections`: limits the concurrent connections of a guest.
//! - `exchange`: sends one request over a new connection and receives its response.
//! - `protocol_error`: a violation of HTTP that another process has reported.
//! - `body`: limits the size of bodies and the time between their frames.
//! - `requests`: the grants and connections of one guest.
//! - `held`: charges what the host holds for a guest to its memory budget.
//! - `calls`: stops a guest whose request was denied.

mod body;
mod calls;
mod connections;
mod destination;
mod exchange;
mod held;
mod protocol_error;
mod requests;
mod resolver;
mod tls;

pub(crate) use calls::link;
#[cfg(target_os = "linux")]
pub(crate) use connections::ConnectionPermit;
pub(crate) use connections::Connections;
pub(crate) use exchange::{Client, DirectClient};
#[cfg(target_os = "linux")]
pub(crate) use exchange::{Exchanged, Granted, SendError};
#[cfg(target_os = "linux")]
pub(crate) use protocol_error::ProtocolError;
pub(crate) use requests::Requests;
pub use resolver::Resolver;
pub(crate) use resolver::SystemResolver;
