//! The shapes, by what they attack.

pub mod components;
pub mod failures;
pub mod memory;
pub mod output;
pub mod resources;
pub mod results;
pub mod stack;
pub mod traps;
pub mod waiting;
