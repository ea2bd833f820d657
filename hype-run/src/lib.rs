//! Runs a closure from its manifest: what every runner of hype does in the end.
//!
//! The command `hype-run` in an image and the local runner inside a program both call [`run`]. It
//! reads the manifest from the stage, verifies and fetches what the manifest names, runs the
//! function in a sandbox, writes its value back, and always leaves an outcome.
//!
//! - [`run`]: the flow, from a manifest's URL to an outcome and the line that vouches for it.
//! - [`Prepared`]: a run with all that it needs, to be called once or many times.
//! - [`Executor`]: the WebAssembly engine, and the components that it has compiled.
//! - [`Cache`]: blobs on a disk of this machine, for runs after the first.
//! - [`precompile`]: machine code for a [`Platform`], to be staged with a component.
//! - [`Resolver`]: from the names of hosts to their addresses, for what guests ask.
//! - [`CommandPlace`]: where guests' commands run.
//! - [`Output`]: where a guest's output goes while it runs, and what is kept of it.

mod backtrace;
mod blobs;
mod brevity;
mod cache;
mod callee;
mod code;
mod deadline;
mod deterministic;
mod embedding;
mod end;
mod engine;
mod execution;
mod executor;
mod fetch;
mod files;
mod filesystem;
mod http;
mod kept_log;
#[cfg(target_os = "linux")]
mod large_pages;
mod layout;
mod limiter;
mod limits;
mod listing;
mod mapped;
mod marked;
mod once;
mod output;
mod power;
mod prepared;
mod process;
mod run;
mod sandbox;
mod scratch;
mod stack;
mod variables;

pub use cache::Cache;
pub use engine::{Platform, UnknownPlatform, fingerprint, precompile};
pub use execution::Execution;
pub use executor::Executor;
pub use http::Resolver;
pub use marked::MarkedLines;
pub use once::{FirstStart, Start};
pub use output::{Output, Stream};
/// What stops a run from outside.
pub use tokio_util::sync::CancellationToken;

pub use scratch::remove_tree;

pub use prepared::Prepared;
pub use process::{CommandPlace, NoNamespaces, check_namespaces};
pub use variables::Variables;

pub use run::{Finished, Request, RunError, run};
