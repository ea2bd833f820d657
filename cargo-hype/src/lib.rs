//! `cargo hype`: compiles a package's library to a component, and calls functions of components.
//!
//! - [`cli`]: the command line, and the exit status of each command.
//! - [`new`]: creates a package from the files in `template`; `profile` keeps its dev builds fast.
//! - [`build`]: builds components under `target/hype`.
//! - [`project`]: reads cargo's metadata: the packages, which of them define functions, their dependencies.
//! - [`compile`]: compiles a library to a core module for `wasm32-wasip1`; [`cargo`] runs cargo, and
//!   `diagnosis` names the crate to blame if the build fails.
//! - `guest_flags`: selects the compiler flags for a guest; `configuration` reads cargo's configuration files.
//! - `tool`: starts cargo, rustc and programs in the `environment` of the user's shell.
//! - [`componentize`]: encodes the core module as a component, and checks the names of its functions.
//! - `build_command`: runs the command by which a package builds its component; `inputs` detects changed files,
//!   and `wit_of_module` adds the WIT that a compiler left out.
//! - [`call`]: calls a function of a component; `arguments` parses the arguments, `json` converts between JSON
//!   and MessagePack, and `print` prints the value.
//! - [`exec`]: runs a whole program; [`program_module`] converts core modules. `environment_options` are the options of
//!   the environment of calls and programs.
//! - [`map`]: calls a function for each line of a file, or for each row of a CSV file.
//! - [`inspect`]: describes a component without running it.
//! - [`program`]: builds a package's programs, and the components whose functions they may call.
//! - [`run`]: builds a program and its components, and runs it.
//! - [`embed`]: builds programs with their components embedded.
//! - [`ps`], [`logs`], [`describe`], [`attach`], [`cancel`]: list, follow, describe, take over and stop runs; `table`
//!   aligns columns. [`report`]: reports of staged maps.
//! - [`gc`]: deletes the leftovers of old runs.
//! - [`doctor`]: checks that everything is in place; `toolchain` checks Rust's.
//! - `color`: decides whether output is coloured. `completions`: scripts for shells.

mod arguments;
pub mod attach;
pub mod build;
mod build_command;
pub mod call;
pub mod cancel;
pub mod cargo;
pub mod cli;
mod color;
pub mod compile;
mod completions;
pub mod componentize;
mod configuration;
pub mod describe;
mod diagnosis;
pub mod doctor;
pub mod embed;
mod environment;
mod environment_options;
pub mod error;
pub mod exec;
pub mod gc;
mod guest_flags;
mod inputs;
pub mod inspect;
mod json;
pub mod logs;
pub mod map;
pub mod new;
mod print;
mod profile;
pub mod program;
pub mod program_module;
pub mod project;
pub mod ps;
mod release_profile;
pub mod report;
pub mod run;
mod streaming;
pub mod submitter_option;
mod table;
mod target;
mod template;
mod tool;
mod toolchain;
mod wit_of_module;
