//! The compiler that all runs of this program share.

use std::process::ExitCode;
use std::sync::OnceLock;

use hype_run::{Compiler, compile_if_requested};

static COMPILER: OnceLock<Compiler> = OnceLock::new();

/// Returns the compiler of this program. It compiles in this process, unless the program called [`compile_in_children`].
pub(crate) fn compiler() -> &'static Compiler {
    COMPILER.get_or_init(Compiler::in_this_process)
}

/// Makes this program compile components in child processes, which run this program. Returns the exit status if this is
/// such a process. `main` calls this first.
pub fn compile_in_children() -> Option<ExitCode> {
    if let Some(status) = compile_if_requested() {
        return Some(status);
    }
    COMPILER.get_or_init(Compiler::in_children);
    None
}
