//! The life of a program that submits closures, from its start to its exit status.

pub(crate) mod ambient;
pub(crate) mod awaiting;
pub mod blocking;
pub(crate) mod chosen;
pub(crate) mod panics;
pub(crate) mod signals;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;

use hype_wire::exit_status::FAILED;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::cleanup::list::remove_everything;
use crate::cleanup::pending;
use crate::error::{self, Error};
use crate::program::signals::Signals;
use crate::progress::show_progress;
use crate::progress::terminal;

/// A type that `main` can return: nothing, an exit code, or a result of these.
#[diagnostic::on_unimplemented(
    message = "`main` cannot return `{Self}`",
    note = "return nothing, or a `hype::Result<()>`, or a result with any other error"
)]
pub trait MainOutput {
    /// Prints the error, if there is one, and returns the exit status.
    fn conclude(self) -> ExitCode;
}

impl MainOutput for () {
    fn conclude(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}

impl MainOutput for ExitCode {
    fn conclude(self) -> ExitCode {
        self
    }
}

impl<T: MainOutput, E: Into<Box<dyn std::error::Error + Send + Sync>>> MainOutput
    for std::result::Result<T, E>
{
    fn conclude(self) -> ExitCode {
        match self {
            Ok(output) => output.conclude(),
            Err(error) => {
                let error = error.into();
                terminal::write(&format!("error: {}\n", error::report(&*error)));
                ExitCode::from(error::find(&*error).map_or(FAILED, Error::exit_code))
            }
        }
    }
}

/// Runs an asynchronous `main` until it ends or the program receives a signal to end. Then waits for pending work and
/// removes everything that the program created.
pub fn run_main<F>(main: F) -> ExitCode
where
    F: Future<Output: MainOutput>,
{
    let Program { runtime, exit_status } = match Program::start() {
        Ok(program) => program,
        Err(code) => return code,
    };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            tokio::select! {
                code = async {
                    let code = main.await.conclude();
                    pending::wait_for_all(None).await;
                    // `main` may have ended because the signal cancelled its pending work.
                    let status = *exit_status.borrow();
                    status.map_or(code, ExitCode::from)
                } => code,
                status = wait_for_signal(exit_status.clone()) => ExitCode::from(status),
            }
        })
    }));
    ambient::forget_default();
    // Tasks of `main` that still run may hold more.
    runtime.block_on(remove_everything());
    runtime.shutdown_background();
    terminal::close();
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs a blocking `main` until it ends or the program receives a signal to end, and then removes everything that the
/// program created.
pub fn run_blocking_main<T: MainOutput>(main: impl FnOnce() -> T) -> ExitCode {
    let Program { runtime, exit_status } = match Program::start() {
        Ok(program) => program,
        Err(code) => return code,
    };
    let process = std::process::id();
    // This task cannot drop what `main` holds, but it can run the registered removals.
    let signalled = exit_status.clone();
    runtime.spawn(async move {
        let status = wait_for_signal(signalled).await;
        remove_everything().await;
        terminal::close();
        std::process::exit(status.into());
    });
    let ended = catch_unwind(AssertUnwindSafe(main));
    if exit_status.borrow().is_some() {
        // The signal stopped its runs, so that its result is meaningless. The task above ends the program.
        loop {
            std::thread::park();
        }
    }
    let ended = catch_unwind(AssertUnwindSafe(|| match ended {
        Ok(output) => output.conclude(),
        Err(panic) => resume_unwind(panic),
    }));
    ambient::forget_default();
    // `main` may have forked this process, which has no threads of the runtime then.
    let runtime_here = (process == std::process::id()).then_some(&runtime);
    wait_for(runtime_here, pending::wait_for_all(None));
    if exit_status.borrow().is_some() {
        // The task above ends the program.
        loop {
            std::thread::park();
        }
    }
    wait_for(runtime_here, remove_everything());
    runtime.shutdown_background();
    terminal::close();
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Waits for `future`, also on a thread that belongs to another runtime. It runs in `runtime`, or else in one of its own.
fn wait_for(runtime: Option<&Runtime>, future: impl Future<Output = ()> + Send + 'static) {
    let (done, waiting) = std::sync::mpsc::channel();
    let work = async move {
        future.await;
        // The receiver waits below.
        let _ = done.send(());
    };
    match runtime {
        Some(runtime) => drop(runtime.spawn(work)),
        None => drop(std::thread::Builder::new().spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(work))
        })),
    }
    // An error means that `future` panicked, which has been reported, or that no thread could be started.
    let _ = waiting.recv();
}

/// The environment of `main`.
struct Program {
    runtime: Runtime,
    /// The exit status, once the program has received a signal to end.
    exit_status: watch::Receiver<Option<u8>>,
}

impl Program {
    fn start() -> Result<Self, ExitCode> {
        panics::write_without_note();
        show_progress();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
                Err::<(), _>(Error::runner("cannot start threads", error)).conclude()
            })?;
        let (sender, exit_status) = watch::channel(None);
        let inside = runtime.enter();
        match Signals::register() {
            Ok(signals) => drop(tokio::spawn(handle_signals(signals, sender))),
            Err(error) => tracing::warn!("cannot wait for Ctrl-C: {error}"),
        }
        drop(inside);
        Ok(Self { runtime, exit_status })
    }
}

/// Starts the orderly end at the first signal, and exits immediately at the second one.
async fn handle_signals(mut signals: Signals, exit_status: watch::Sender<Option<u8>>) {
    let status = signals.next().await;
    tracing::info!("stopping; press Ctrl-C again to leave at once");
    exit_status.send_replace(Some(status));
    pending::cancel();
    let status = signals.next().await;
    terminal::close();
    std::process::exit(status.into());
}

/// Waits until the program receives a signal to end, and returns the exit status.
async fn wait_for_signal(mut exit_status: watch::Receiver<Option<u8>>) -> u8 {
    match exit_status.wait_for(Option::is_some).await.map(|status| *status) {
        Ok(Some(status)) => status,
        // Signals cannot be received.
        _ => std::future::pending().await,
    }
}
