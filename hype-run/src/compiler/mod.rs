//! Compiles components to machine code, one at a time, in this process or in child processes.
//!
//! - `turn`: the compiler, whose turn a compilation waits for.
//! - `child`: both sides of a compilation in a child process.
//! - `threads`: the threads of a compilation.
//! - `error`: the reasons why a component is not compiled.

mod child;
mod error;
mod threads;
mod turn;

pub use child::compile_if_requested;
pub use error::CompileError;
pub(crate) use threads::compile;
pub use turn::{CompileTurn, Compiler};
