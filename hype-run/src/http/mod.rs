//! HTTP, where the environment grants it.
//!
//! A guest's requests go through `wasi:http`, and each of them through here: scheme, host and port must be
//! those of a grant; the host's name is resolved once; addresses that the grant isn't for are dropped; and the
//! connection goes to one of the others and to nothing else. A redirect is an answer like others, which the
//! guest's client may follow by a request of its own.
//!
//! - `destination`: which grant a request falls under, if any. No IO.
//! - `resolver`: from a name to addresses.
//! - `tls`: who may say that they are a host.
//! - `exchange`: one request and its answer, over a connection of its own.
//! - `body`: bytes that come or go, up to a bound.
//! - `requests`: what a guest may do of all this, and did.
//! - `calls`: the calls by which a guest learns that it may not.

mod body;
mod calls;
mod destination;
mod exchange;
mod requests;
mod resolver;
mod tls;

pub(crate) use calls::link;
pub(crate) use requests::Requests;
pub use resolver::Resolver;
pub(crate) use resolver::SystemResolver;
