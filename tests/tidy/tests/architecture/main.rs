//! The architecture is a test: what may depend on what, how files are laid out, and that all
//! programs of this workspace share one build of the engine.
//!
//! Each check collects all problems that it finds, each with its place, and ends with the way out.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod dependencies;
mod features;
mod files;
mod manifests;
mod targets;
mod tools;
mod units;
mod workspace;
