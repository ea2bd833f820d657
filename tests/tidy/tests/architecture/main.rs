//! Architecture tests: allowed dependencies, file layout, and a single build of the engine for all programs of the
//! workspace.
//!
//! Each check reports all problems with their locations, and how to fix them.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod dependencies;
mod documents;
mod features;
mod files;
mod manifests;
mod output;
mod targets;
mod tools;
mod units;
mod urls;
mod workspace;
