//! Runs a closure from its manifest: the last step of every runner of hype.
//!
//! The command `hype-run` in an image and the local runner inside a program both call [`run`]. It
//! reads the manifest from the stage, fetches and verifies the objects that the manifest names, runs
//! the function in a sandbox, stages its value, and writes an outcome.
//!
//! - [`run`]: the whole flow, from a manifest's URL to an outcome and its termination line. [`run_unstaged`]: the same
//!   without a manifest and an outcome in the stage.
//! - [`RunRequest`]: the manifest to run, and the secrets and variables of this attempt.
//! - [`Prepared`]: a job that is ready for any number of calls. [`run_items`]: the items of a map, by such a job.
//! - [`Executor`]: the WebAssembly engine and the components that it has compiled.
//! - [`Cache`]: blobs on a disk of this machine, for later runs.
//! - [`precompile`]: compiles a component to machine code for a [`Platform`].
//! - [`Compiler`]: compiles components, in this process or in child processes.
//! - [`Resolver`]: resolves host names for the HTTP requests of guests.
//! - [`CommandIsolation`]: selects the isolation of the commands of guests.
//! - [`GuestOutput`]: passes on a guest's output while it runs, and keeps the end of it.
//!
//! # Examples
//!
//! Runs a staged closure and prints the line that names its outcome:
//!
//! ```no_run
//! use hype_run::{CancellationToken, Executor, GuestOutput, RunRequest, Variables, run};
//!
//! # async fn example() -> Result<(), hype_run::RunError> {
//! let executor = Executor::new();
//! let request = RunRequest {
//!     manifest_url: "file:///var/stage/runs/run-1/manifest".to_owned(),
//!     digest: None,
//!     manifest: None,
//!     arguments: None,
//!     key: None,
//!     attempt: 1,
//!     variables: Variables::none(),
//!     interrupt: CancellationToken::new(),
//! };
//! let output = GuestOutput::new(|_stream, bytes| print!("{}", String::from_utf8_lossy(bytes)));
//! let finished = run(&executor, &request, output).await?;
//! println!("{}", finished.line);
//! # Ok(())
//! # }
//! ```

mod attempt;
mod backtrace;
mod blobs;
mod blocking;
mod budget;
mod cache;
mod callee;
mod closure_call;
mod code;
mod compiler;
mod cpu_time;
mod deadline;
mod deterministic;
mod embedding;
mod engine;
mod entries;
mod execution;
mod executor;
mod failure;
mod fetch;
mod files;
mod filesystem;
#[cfg(target_os = "linux")]
mod guest_stack;
#[cfg(target_os = "linux")]
mod guest_thread;
mod held;
mod holdings;
mod http;
mod items;
mod kept_log;
#[cfg(target_os = "linux")]
mod large_pages;
mod layout;
mod limiter;
mod limits;
mod listing;
mod load_time;
mod loaded;
mod machine_code;
mod marked_lines;
mod once;
mod open_file_limit;
mod opening;
mod output;
mod own_program;
mod power;
mod prepared;
mod process;
mod program;
mod progress;
mod quota;
mod random;
mod reading;
mod run;
mod sandbox;
mod scratch;
#[cfg(target_os = "linux")]
mod sealed_memory;
mod signature;
mod stack;
mod syncing;
mod transport;
mod truncate;
mod typed;
mod variables;
#[cfg(target_os = "linux")]
mod workers;
mod writing;

pub use cache::Cache;
pub use compiler::{CompileError, CompileTurn, Compiler, compile_if_requested};
pub use engine::{CodeKind, Platform, Target, UnknownPlatform, fingerprint, precompile};
pub use execution::Execution;
pub use executor::Executor;
pub use http::Resolver;
pub use items::run_items;
pub use limits::BLOCKING_THREADS_PER_CALL;
pub use marked_lines::MarkedLines;
pub use once::{FirstStart, Start};
pub use output::{GuestOutput, Stream};
/// The token that interrupts a run, see [`RunRequest::interrupt`].
pub use tokio_util::sync::CancellationToken;

pub use scratch::{GuestDirectory, guest_directories, remove_tree};

pub use prepared::{ItemCall, Prepared};
pub use process::{CommandIsolation, CommandRoom, NoNamespaces, check_namespaces};
pub use variables::Variables;

pub use run::{Finished, RunError, RunRequest, run, run_unstaged};
