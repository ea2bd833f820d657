//! A program that submits, from its start to its exit status.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::ambient;
use crate::background::remove_everything;
use crate::error::{self, Error};
use crate::progress::show_progress;

/// The status of a program that Ctrl-C ended, as shells give it.
const INTERRUPTED: u8 = 130;

/// What a `main` can give: nothing, an exit code, or a result of these.
#[diagnostic::on_unimplemented(
    message = "`main` cannot give `{Self}`",
    note = "give nothing, or a `hype::Result<()>`, or a result with any other error"
)]
pub trait MainOutput {
    /// Says what went wrong, and gives the exit status.
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
                eprintln!("error: {}", error::report(&*error));
                ExitCode::from(error::find(&*error).map_or(1, Error::exit_code))
            }
        }
    }
}

/// Runs an asynchronous `main` to its end, or to Ctrl-C, and then removes what it made.
pub fn run_main<F>(main: F) -> ExitCode
where
    F: Future<Output: MainOutput>,
{
    let runtime = match start() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            tokio::select! {
                output = main => output.conclude(),
                () = interrupted() => ExitCode::from(INTERRUPTED),
            }
        })
    }));
    ambient::forget_default();
    runtime.shutdown_background();
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs a plain `main` to its end, or to Ctrl-C, and then removes what it made.
pub fn run_blocking_main<T: MainOutput>(main: impl FnOnce() -> T) -> ExitCode {
    let runtime = match start() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    // What `main` holds cannot be dropped from here, but all that is to be removed is known.
    runtime.spawn(async {
        interrupted().await;
        remove_everything().await;
        std::process::exit(INTERRUPTED.into());
    });
    let ended = catch_unwind(AssertUnwindSafe(|| main().conclude()));
    ambient::forget_default();
    runtime.shutdown_background();
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

fn start() -> Result<Runtime, ExitCode> {
    show_progress();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Err::<(), _>(Error::runner("cannot start threads", error)).conclude())
}

/// Waits for Ctrl-C, of which a second one ends the program at once.
async fn interrupted() {
    // One listener for both, so that none is missed between them.
    let mut interrupts = match interrupts() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            tracing::warn!("cannot wait for Ctrl-C: {error}");
            return std::future::pending().await;
        }
    };
    if interrupts.recv().await.is_none() {
        return std::future::pending().await;
    }
    tracing::info!("stopping; press Ctrl-C again to leave at once");
    tokio::spawn(async move {
        if interrupts.recv().await.is_some() {
            std::process::exit(INTERRUPTED.into());
        }
    });
}

#[cfg(unix)]
fn interrupts() -> std::io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn interrupts() -> std::io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}
