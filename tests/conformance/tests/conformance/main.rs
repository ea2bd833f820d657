//! Tests that link hype's whole host side: the suite on each runner, submitters, their programs, and the command
//! `hype-run`.
//!
//! They are one program, which is linked once. A test that changes process-wide state runs in a process of its own:
//! see [`conformance::subprocess`].

mod ambient;
mod blocking;
mod bucket;
#[cfg(target_os = "linux")]
mod campaign;
mod chained_runs;
mod commands;
mod docker;
mod documented;
mod grants;
mod https;
mod hype_run;
mod interrupted;
mod kubernetes;
mod local;
mod maps;
mod panics;
mod progress;
mod reductions;
mod retries;
mod staged_maps;
mod staging;
mod unstaged;
mod verified;
mod waiting;
