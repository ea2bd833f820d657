//! hype runs a function of yours somewhere else and gives you its value back.
//!
//! A function with [`#[hype::function]`](function) in a package's library becomes a constructor of
//! [`Closure`]s; `cargo hype build` compiles that library to a WebAssembly [`Component`]; a
//! [`Submitter`] stages the component and the arguments, lets a runner run it in a sandbox with
//! just what the [`RunEnvironment`] names, and gives back a typed value or an [`Error`] that says
//! what happened.
//!
//! ```no_run
//! # mod my_package {
//! #     #[hype::function]
//! #     pub fn example(arg: String) -> String { format!("{arg} world!") }
//! # }
//! use my_package::example;
//!
//! #[hype::main]
//! async fn main() -> hype::Result<()> {
//!     let submitter = hype::Submitter::local()?;
//!     let env = hype::RunEnvironment::new();
//!     let greeting = submitter.submit(example("hello".into()), &env).await?;
//!     println!("{greeting}");
//!     Ok(())
//! }
//! ```
//!
//! The same crate is compiled into the component, where it is only what a function needs; all
//! that submits exists natively alone.

#[cfg(target_family = "wasm")]
pub use hype_guest::__internal;

#[cfg(not(target_family = "wasm"))]
mod advice;
#[cfg(not(target_family = "wasm"))]
mod ambient;
#[cfg(not(target_family = "wasm"))]
mod arguments;
#[cfg(all(feature = "local", not(target_family = "wasm")))]
mod artefact;
#[cfg(not(target_family = "wasm"))]
mod attach;
#[cfg(not(target_family = "wasm"))]
mod background;
#[cfg(not(target_family = "wasm"))]
pub mod blocking;
#[cfg(not(target_family = "wasm"))]
mod blocking_task;
#[cfg(not(target_family = "wasm"))]
mod closure;
#[cfg(not(target_family = "wasm"))]
mod component;
#[cfg(not(target_family = "wasm"))]
mod configuration;
#[cfg(not(target_family = "wasm"))]
mod detach;
#[cfg(not(target_family = "wasm"))]
mod directory;
#[cfg(not(target_family = "wasm"))]
mod driver;
#[cfg(not(target_family = "wasm"))]
mod embedded;
#[cfg(not(target_family = "wasm"))]
mod environment;
#[cfg(not(target_family = "wasm"))]
mod error;
#[cfg(not(target_family = "wasm"))]
mod files;
#[cfg(not(target_family = "wasm"))]
mod find;
#[cfg(not(target_family = "wasm"))]
mod handover;
#[cfg(not(target_family = "wasm"))]
mod keys;
#[cfg(not(target_family = "wasm"))]
mod known;
#[cfg(not(target_family = "wasm"))]
mod lease;
#[cfg(all(any(feature = "local", feature = "docker"), not(target_family = "wasm")))]
mod local_stage;
#[cfg(not(target_family = "wasm"))]
mod log;
#[cfg(not(target_family = "wasm"))]
mod log_rest;
#[cfg(not(target_family = "wasm"))]
mod mount;
#[cfg(not(target_family = "wasm"))]
mod owned;
#[cfg(not(target_family = "wasm"))]
mod panics;
#[cfg(not(target_family = "wasm"))]
mod pending;
#[cfg(all(feature = "kubernetes", not(target_family = "wasm")))]
mod placement;
#[cfg(not(target_family = "wasm"))]
mod powers;
#[cfg(not(target_family = "wasm"))]
mod program;
#[cfg(not(target_family = "wasm"))]
mod progress;
#[cfg(not(target_family = "wasm"))]
mod remaining;
#[cfg(not(target_family = "wasm"))]
mod run;
#[cfg(not(target_family = "wasm"))]
mod run_objects;
#[cfg(not(target_family = "wasm"))]
mod runner;
#[cfg(all(feature = "kubernetes", not(target_family = "wasm")))]
mod sharing;
#[cfg(not(target_family = "wasm"))]
mod signals;
#[cfg(not(target_family = "wasm"))]
mod staging;
#[cfg(not(target_family = "wasm"))]
mod submitter;
#[cfg(not(target_family = "wasm"))]
mod terminal;
#[cfg(not(target_family = "wasm"))]
mod upload;
#[cfg(not(target_family = "wasm"))]
mod value;
#[cfg(not(target_family = "wasm"))]
mod vouched;

/// serde, for packages whose only dependency is hype: derive with
/// `#[serde(crate = "hype::serde")]`.
pub use serde;

pub use hype_guest::{Bytes, embed, function, http, main, process};

#[cfg(not(target_family = "wasm"))]
mod native {
    pub use crate::ambient::{scope, set_default, submit};
    pub use crate::arguments::{ArgumentList, Arguments, TextArguments};
    pub use crate::closure::{Closure, InEnvironment};
    pub use crate::component::{Component, ComponentFunction, IntoComponentFunction};
    pub use crate::detach::DetachError;
    pub use crate::environment::RunEnvironment;
    pub use crate::error::{Error, ErrorKind, Result};
    pub use crate::handover::Handover;
    pub use crate::log::{Log, LogLine, LogStream};
    pub use crate::mount::{HostDirectory, VolumeMount, VolumeRequest};
    pub use crate::owned::Owned;
    #[cfg(feature = "kubernetes")]
    pub use crate::placement::Toleration;
    pub use crate::powers::PowerImport;
    pub use crate::progress::show_progress;
    pub use crate::run::{Run, Status};
    #[cfg(feature = "docker")]
    pub use crate::runner::DockerRunner;
    #[cfg(feature = "local")]
    pub use crate::runner::LocalRunner;
    pub use crate::runner::{Attempt, Runner, StageSecret, Voucher};
    #[cfg(feature = "kubernetes")]
    pub use crate::runner::{Graces, KubernetesRunner};
    #[cfg(feature = "kubernetes")]
    pub use crate::sharing::{AccessMode, Readers};
    pub use crate::submitter::Submitter;
    pub use hype_stage::{Collected, LEAST_AGE, Removal, Stage};
    pub use hype_wire::{Digest, Failure, FailureKind, Frame, Function, Location, Parameter};
    pub use hype_wire::{EncodedValue, NotJson, Statistics, TerminationLine, TextArgument};
}

#[cfg(not(target_family = "wasm"))]
pub use native::*;

/// What expansions of the macros name, and `cargo hype`. It changes with them, and without notice.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
pub mod __internal {
    pub use crate::closure::bind;
    pub use crate::configuration::{choose_submitter, features_for};
    pub use crate::embedded::embed;
    pub use crate::program::{run_blocking_main, run_main};
    pub use crate::submitter::submitter_with_lease_term;
    pub use hype_guest::__internal::*;
    pub use hype_wire::{exit_status, report};
}
