//! The compiler that all runs of this program share.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use hype_run::{Compiler, compile_if_requested};
use hype_stage::PerProcess;

/// True if compilations run in child processes.
static IN_CHILDREN: AtomicBool = AtomicBool::new(false);

/// The compiler of each process: a fork must not wait for the turn of a thread that it doesn't have.
static COMPILER: PerProcess<Compiler> =
    PerProcess::new(|| match IN_CHILDREN.load(Ordering::Relaxed) {
        true => Compiler::in_children(),
        false => Compiler::in_this_process(),
    });

/// Returns the compiler of this program. It compiles in this process, unless the program called [`compile_in_children`].
pub(crate) fn compiler() -> &'static Compiler {
    COMPILER.get()
}

/// Makes this program compile components in child processes, which run this program. Returns the exit status if this is
/// such a process. `main` calls this first.
pub fn compile_in_children() -> Option<ExitCode> {
    if let Some(status) = compile_if_requested() {
        return Some(status);
    }
    IN_CHILDREN.store(true, Ordering::Relaxed);
    None
}
