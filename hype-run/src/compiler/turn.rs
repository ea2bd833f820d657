//! The compiler of a process, which compiles one component at a time.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hype_stage::spawn_io;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::child::ChildCompiler;
use super::error::CompileError;
use super::threads::compile;
use crate::engine::{CodeKind, Target};

/// Compiles components to machine code, one at a time: a compilation uses all cores. Clones share the turn.
///
/// A compilation in this process cannot be stopped. When its timeout passes, it is abandoned and continues on its
/// thread, and the next compilation waits for its end. So at most one compilation is abandoned. A compilation in a
/// child process is killed, and its memory is bounded.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use hype_run::{Compiler, Platform, Target};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let compiler = Compiler::in_this_process();
/// let turn = compiler.turn(Some(Duration::from_secs(60))).await?;
/// let empty_component = b"\0asm\x0d\0\x01\0"[..].into();
/// let output = tempfile::tempfile()?;
/// let size = turn
///     .compile(empty_component, Platform::here().map(Target::from), output, |code| code.metadata().map(|it| it.len()))
///     .await??;
/// assert!(size > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Compiler {
    /// One permit, which a compilation keeps until it ends.
    turn: Arc<Semaphore>,
    child: Option<ChildCompiler>,
}

/// The turn to compile one component. No other compilation of the [`Compiler`] runs meanwhile.
#[derive(Debug)]
pub struct CompileTurn {
    permit: OwnedSemaphorePermit,
    child: Option<ChildCompiler>,
    timeout: Timeout,
}

/// The maximum time for a compilation, the wait for its turn included.
#[derive(Debug, Clone, Copy)]
struct Timeout {
    limit: Duration,
    end: Option<Instant>,
}

impl Compiler {
    /// Returns a compiler that compiles in this process.
    pub fn in_this_process() -> Self {
        Self::new(None)
    }

    /// Returns a compiler that starts this process's program once for each component. The program must call
    /// [`compile_if_requested`](crate::compile_if_requested) at its start. Compiles in this process where the system has no Unix processes.
    pub fn in_children() -> Self {
        Self::new(ChildCompiler::of_this_program())
    }

    fn new(child: Option<ChildCompiler>) -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), child }
    }

    /// Returns a compiler that starts `program` once for each component, and bounds its memory to `memory` bytes.
    /// The program must be of the same version as this one, since its machine code is trusted.
    pub fn in_children_of(program: impl Into<std::path::PathBuf>, memory: u64) -> Self {
        Self::new(Some(ChildCompiler { program: program.into(), memory }))
    }

    /// Waits until no other compilation runs. `timeout` bounds this wait and the compilation together.
    ///
    /// # Errors
    ///
    /// Returns an error if the timeout passes.
    pub async fn turn(&self, timeout: Option<Duration>) -> Result<CompileTurn, CompileError> {
        let timeout = Timeout::start(timeout);
        let waited = timeout.bound(Arc::clone(&self.turn).acquire_owned()).await;
        match waited {
            Some(Ok(permit)) => Ok(CompileTurn { permit, child: self.child.clone(), timeout }),
            // The semaphore is never closed.
            Some(Err(_)) | None => Err(CompileError::NoTurn(timeout.limit)),
        }
    }

    /// Returns whether a compilation runs, which may be an abandoned one.
    pub(crate) fn is_busy(&self) -> bool {
        self.turn.available_permits() == 0
    }
}

impl CompileTurn {
    /// Compiles the component in `bytes` for `target`, or for this machine if that is `None`. Writes the machine code
    /// to `output`, which must be empty, and returns what `finish` returns for it.
    ///
    /// `finish` runs on another thread. It also runs at the end of an abandoned compilation.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not a component that can be compiled, or the compilation takes longer or needs
    /// more memory than it may.
    pub async fn compile<T: Send + 'static>(
        self,
        bytes: Bytes,
        target: Option<Target>,
        output: File,
        finish: impl FnOnce(File) -> T + Send + 'static,
    ) -> Result<T, CompileError> {
        let Self { permit, child, timeout } = self;
        let compiling = async {
            if let Some(child) = child {
                child.compile(&bytes, target, &output).await?;
                let finished = spawn_io(|| finish(output)).await;
                drop(permit);
                return finished.map_err(|error| CompileError::Crashed(error.to_string()));
            }
            let compile = move || {
                let finished = compile_to(&bytes, target, &output).map(|()| finish(output));
                drop(permit);
                finished
            };
            on_thread(compile).await?
        };
        timeout.bound(compiling).await.unwrap_or(Err(CompileError::TimedOut(timeout.limit)))
    }
}

impl Timeout {
    fn start(limit: Option<Duration>) -> Self {
        // An instant beyond the clock's range is no bound.
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        Self { limit: limit.unwrap_or(Duration::MAX), end }
    }

    /// Waits for `work`. Returns `None` if the timeout passes first.
    async fn bound<T>(self, work: impl Future<Output = T>) -> Option<T> {
        match self.end {
            Some(end) => tokio::time::timeout_at(end, work).await.ok(),
            None => Some(work.await),
        }
    }
}

/// Compiles the component in `bytes` and writes its machine code to `output`.
pub(super) fn compile_to(
    bytes: &[u8],
    target: Option<Target>,
    mut output: &File,
) -> Result<(), CompileError> {
    let kind = target.map_or(CodeKind::Checked, |target| target.kind);
    let code = compile(target.map(|target| target.platform), kind, bytes)
        .map_err(CompileError::Start)?
        .map_err(|error| CompileError::invalid(&error))?;
    output.write_all(&code).map_err(CompileError::Output)
}

/// Runs `work` on a new thread. An ending runtime doesn't wait for that thread, as it would for one of its own.
async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CompileError> {
    let (sender, receiver) = oneshot::channel();
    // The receiver is gone if the compilation is abandoned.
    let work = move || drop(sender.send(work()));
    let thread = std::thread::Builder::new().name("hype-compile".into());
    thread.spawn(work).map_err(CompileError::Start)?;
    receiver.await.map_err(|_| CompileError::Crashed("the compiler panicked".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    #[tokio::test]
    async fn compilation_needs_no_shared_thread_of_rayon() {
        let (end, busy) = mpsc::channel::<()>();
        let busy = Mutex::new(busy);
        rayon::spawn_broadcast(move |_| {
            let _ = busy.lock().unwrap().recv();
        });
        let bytes = wat::parse_str("(component (core module (func) (func)))").unwrap();
        let turn = Compiler::in_this_process().turn(Some(Duration::from_secs(60))).await.unwrap();
        let output = tempfile::tempfile().unwrap();
        turn.compile(bytes.into(), None, output, drop).await.unwrap();
        drop(end);
    }
}
