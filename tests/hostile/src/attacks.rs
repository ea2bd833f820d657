//! The attacks, grouped by their target.

pub mod components;
pub mod failures;
pub mod held;
pub mod memory;
pub mod neighbours;
pub mod output;
pub mod resources;
pub mod results;
pub mod stack;
pub mod traps;
pub mod waiting;
