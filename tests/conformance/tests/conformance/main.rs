//! The suite on each runner, and what else holds of submitters, of their programs and of the command `hype-run`.
//!
//! All of it is one program, which is linked once. A test that needs or changes what belongs to a whole process runs in
//! one of its own: see [`conformance::alone`].

mod ambient;
mod blocking;
mod bucket;
#[cfg(target_os = "linux")]
mod campaign;
mod commands;
mod docker;
mod documented;
mod granted;
mod https;
mod hype_run;
mod interrupted;
mod kubernetes;
mod local;
mod panics;
mod progress;
mod retries;
mod staging;
mod verified;
