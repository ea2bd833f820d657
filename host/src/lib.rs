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
//!
//! The root has the names that every program needs. The rest is in modules: [`environment`], [`run`],
//! [`component`], [`error`](mod@error), [`stage`], `kubernetes` and [`runner`], which is also what another
//! runner is built of.
//!
//! # Features
//!
//! | feature | what it brings | by default |
//! |---|---|---|
//! | `local` | closures in this process ([`LocalRunner`]), and so wasmtime | yes |
//! | `docker` | closures in containers of a Docker daemon (`DockerRunner`) | no |
//! | `kubernetes` | closures in Pods of a cluster (`KubernetesRunner`) | no |
//! | `gcs` | stages in Google Cloud Storage, `gs://` | no |
//! | `aws` | stages in S3 and what speaks its protocol, `s3://` | no |
//! | `azure` | stages in Azure Blob Storage, `az://` | no |
//! | `full` | all of these | no |
//! | `log`, `tracing` | what a function logs by the crate of that name goes to its standard error | no |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(target_family = "wasm")]
pub use hype_guest::__internal;

#[cfg(not(target_family = "wasm"))]
mod native;

#[cfg(not(target_family = "wasm"))]
pub use native::*;

/// serde, for packages whose only dependency is hype: derive with
/// `#[serde(crate = "hype::serde")]`.
pub use serde;

pub use hype_guest::{Bytes, embed, function, http, main, process};

/// What expansions of the macros name, and `cargo hype`. It changes with them, and without notice.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
pub mod __internal {
    pub use crate::call::closure::bind;
    pub use crate::call::embedded::embed;
    pub use crate::configuration::{choose_submitter, features_for};
    pub use crate::program::chosen::chosen_submitter_with_lease_term;
    pub use crate::program::{run_blocking_main, run_main};
    pub use crate::run::submitter::submitter_with_lease_term;
    pub use hype_guest::__internal::*;
    pub use hype_wire::{exit_status, report};
}
