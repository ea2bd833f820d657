//! `cargo hype`: from a package's library to a component, and from a component to a value.
//!
//! - [`cli`]: the command line, and the exit status of each command.
//! - [`new`]: a package to begin with, of the files in `template`; `profile` keeps its
//!   dev builds quick.
//! - [`build`]: packages to components under `target/hype`.
//! - [`project`]: what cargo knows of the packages: which define functions, where things are.
//! - [`compile`]: cargo's part: a library to a core module for `wasm32-wasip1`; [`cargo`] runs it, and
//!   `refusal` says which crate is to blame when it fails.
//! - `guest_flags`: what the compiler is told for a guest, of all that is configured; `configuration` reads
//!   cargo's files.
//! - `tool`: how cargo, rustc and programs are started: in the `environment` of the user's shell.
//! - [`componentize`]: from that module to a component, and what it says of its functions.
//! - [`call`]: a function of a component, with JSON in and out; `arguments` reads its arguments, `json`
//!   says what stands for what, and `print` prints its value.
//! - [`inspect`]: what a component is, told without running it.
//! - [`program`]: a package's programs, and the components whose functions they may call.
//! - [`run`]: one of them, run.
//! - [`embed`]: all of them, with these components inside.
//! - [`gc`]: the removal of what old runs left.

mod arguments;
pub mod build;
pub mod call;
pub mod cargo;
pub mod choice;
pub mod cli;
pub mod compile;
pub mod componentize;
mod configuration;
pub mod embed;
mod environment;
pub mod error;
pub mod gc;
mod guest_flags;
pub mod inspect;
mod json;
pub mod new;
mod print;
mod profile;
pub mod program;
pub mod project;
mod refusal;
pub mod run;
mod target;
mod template;
mod tool;
