//! A storage server with fault injection, for tests: the XML API of Google Cloud Storage on loopback.
//!
//! Its purpose is to test how a stage behaves when requests fail. A test injects faults into chosen requests: an
//! error or a lost response after a write was carried out, a body that is truncated, altered, slow or reset, a
//! response that never arrives. And a test counts requests, to prove that an operation is retried, is not retried,
//! or costs no more requests than it should. Emulators of storage services offer neither, and don't implement
//! the XML API completely.
//!
//! The server keeps all objects in memory, listens on a free port and stops when it is dropped.
//! `tests/client/suite.rs` checks it by object_store's own test suite.
//!
//! - [`StorageServer`]: starts the server; inspects its objects and the requests so far.
//! - [`Settings`]: buckets and credentials.
//! - [`Rule`]: a [`Fault`] and the requests that it applies to.

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
