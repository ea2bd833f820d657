//! hype runs a Rust function somewhere else, such as in a container or a Pod, and returns its value.
//!
//! The attribute [`#[hype::function]`](function) turns a function of a package's library into a constructor of
//! [`Closure`]s. `cargo hype build` compiles the library to a WebAssembly [`Component`]. A [`Submitter`] uploads the
//! component and the arguments to a stage and lets a runner call the function in a sandbox, which contains only what
//! the [`RunEnvironment`] lists. It returns a typed value or a detailed [`Error`].
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
//! This crate is also compiled into the component, for which it contains only the items that functions need.
//! Submitters, environments and runners exist on native targets only.
//!
//! The root has the names that every program needs. The rest is in modules: [`environment`], [`run`],
//! [`component`](mod@component), [`error`](mod@error), [`stage`], `kubernetes` and [`runner`], which also contains the
//! building blocks of custom runners.
//!
//! # Features
//!
//! | feature | contents | by default |
//! |---|---|---|
//! | `local` | closures in this process ([`LocalRunner`]), and so wasmtime | yes |
//! | `docker` | closures in containers of a Docker daemon (`DockerRunner`) | no |
//! | `kubernetes` | closures in Pods of a cluster (`KubernetesRunner`) | no |
//! | `gcs` | stages in Google Cloud Storage, `gs://` | no |
//! | `aws` | stages in S3 and compatible object stores, `s3://` | no |
//! | `azure` | stages in Azure Blob Storage, `az://` | no |
//! | `full` | all of these | no |
//! | `log`, `tracing` | a function's log messages of the crate of that name are written to its standard error | no |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(target_family = "wasm")]
pub use hype_guest::__internal;

#[cfg(not(target_family = "wasm"))]
mod native;

#[cfg(not(target_family = "wasm"))]
pub use native::*;

/// The crate serde, for packages whose only dependency is hype. Derive with `#[serde(crate = "hype::serde")]`.
///
/// ```
/// #[derive(hype::serde::Serialize, hype::serde::Deserialize)]
/// #[serde(crate = "hype::serde")]
/// struct Score {
///     name: String,
///     points: u32,
/// }
/// ```
pub use serde;

pub use hype_guest::{Bytes, component, embed, function, http, main, process};

/// Items for the code that the macros generate, for `cargo hype` and for tests. They change without notice.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
pub mod __internal {
    pub use crate::call::closure::{bind, check_arguments, relay_output};
    pub use crate::call::embedded::embed;
    pub use crate::call::handle::{handle, typed_handle};
    pub use crate::call::typed::{TypedComponent, TypedFunction, bind_typed};
    pub use crate::configuration::{Key, Options, choose_namespaces, explain};
    pub use crate::error::hint_of;
    pub use crate::map::report::recorder::Recorder;
    pub use crate::map::staged::open::has_plan as is_staged_map;
    pub use crate::map::{detach_on_drop, is_detached_on_drop, is_of_item, recorder};
    pub use crate::program::chosen::chosen_submitter_with_lease_term;
    pub use crate::program::{run_blocking_main, run_main};
    pub use crate::progress::show_warnings;
    pub use crate::run::relay::{OutputRelay, ReceiveOutput};
    pub use crate::run::submitter::submitter_with_lease_term;
    #[cfg(feature = "local")]
    pub use crate::staging::compiler::compile_in_children;
    pub use hype_guest::__internal::*;
    pub use hype_wire::{exit_status, is_unprintable, printable, report};
}
