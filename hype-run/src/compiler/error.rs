//! Errors of compilations.

use std::fmt;
use std::io;
use std::time::Duration;

use hype_wire::{Failure, FailureKind, cause_messages};

use crate::load_time::TimeoutLeft;

/// The error of a component that was not compiled.
#[derive(Debug)]
pub enum CompileError {
    /// The bytes are not a component, or one that the compiler doesn't support: the messages of the error and of its
    /// causes.
    Invalid(Vec<String>),
    /// The timeout passed while another component was compiled.
    NoTurn(Duration),
    /// The timeout passed.
    TimedOut(Duration),
    /// The compilation needs more than this number of bytes of memory.
    OutOfMemory(u64),
    /// The compiler ended unexpectedly, with these last words.
    Crashed(String),
    /// No thread or process could be started.
    Start(io::Error),
    /// The machine code could not be written.
    Output(io::Error),
}

impl CompileError {
    pub(super) fn invalid(error: &wasmtime::Error) -> Self {
        Self::Invalid(error.chain().map(ToString::to_string).collect())
    }

    /// Names the run's timeout instead of the rest of it that the compilation had.
    pub(crate) fn within(self, timeout: Option<TimeoutLeft>) -> Self {
        match (self, timeout) {
            (Self::NoTurn(_), Some(TimeoutLeft { timeout, .. })) => Self::NoTurn(timeout),
            (Self::TimedOut(_), Some(TimeoutLeft { timeout, .. })) => Self::TimedOut(timeout),
            (error, _) => error,
        }
    }

    /// Returns the failure of a run whose component, called `name`, was not compiled.
    pub fn failure(&self, name: &str) -> Failure {
        let new = Failure::new;
        match self {
            Self::Invalid(causes) => {
                let problem = format!("component {name} is not a component that can be compiled");
                Failure { causes: causes.clone(), ..new(FailureKind::Incompatible, problem) }
            }
            Self::NoTurn(timeout) => new(
                FailureKind::Deadline,
                format!(
                    "compiling {name} did not begin within the run's timeout of {timeout:?}: another component \
                     is still being compiled"
                ),
            ),
            Self::TimedOut(timeout) => new(
                FailureKind::Deadline,
                format!("compiling {name} took longer than the run's timeout of {timeout:?}"),
            ),
            Self::OutOfMemory(limit) => new(
                FailureKind::Resources,
                format!(
                    "compiling {name} needs more than the {} MiB of memory that a compilation may use: split its \
                     largest functions, or optimize it for size",
                    limit >> 20
                ),
            ),
            Self::Crashed(reason) => {
                let problem = format!("the compiler crashed on component {name}");
                let causes = vec![reason.clone()];
                Failure { causes, ..new(FailureKind::Incompatible, problem) }
            }
            Self::Start(error) => {
                Self::of_system(format!("cannot start a compiler for component {name}"), error)
            }
            Self::Output(error) => {
                Self::of_system(format!("cannot write the machine code of component {name}"), error)
            }
        }
    }

    fn of_system(problem: String, error: &io::Error) -> Failure {
        let causes = std::iter::once(error.to_string()).chain(cause_messages(error)).collect();
        Failure { causes, ..Failure::new(FailureKind::Infrastructure, problem) }
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failure("").message)
    }
}

impl std::error::Error for CompileError {}
