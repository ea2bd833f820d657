//! Google Cloud Storage on loopback, for tests: its XML API, its credentials, and faults on request.
//!
//! The emulators that there are don't serve the XML API whole, and none of them resets a connection
//! when a test needs it. This server keeps everything in memory, listens on a port of its own, and
//! goes when it is dropped. `tests/client/suite.rs` proves it by object_store's own suite.
//!
//! - [`StorageServer`]: start one, look into it, see what was asked of it.
//! - [`Settings`]: its buckets, and who may use them.
//! - [`Rule`]: a [`Fault`], and the requests that meet it.

mod account;
mod answer;
mod body;
mod call;
mod condition;
mod connection;
mod content;
mod credentials;
mod fault;
mod journal;
mod listing;
mod object;
mod pattern;
mod problem;
mod range;
mod reply;
mod server;
mod service;
mod settings;
mod store;
mod upload;
mod xml;

pub use call::Operation;
pub use content::Content;
pub use fault::{Fault, Refusal, Rule};
pub use journal::Request;
pub use server::StorageServer;
pub use settings::Settings;
