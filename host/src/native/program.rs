//! A program that submits, from its start to its exit status.

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

use crate::cleanup::owned::remove_everything;
use crate::cleanup::pending;
use crate::error::{self, Error};
use crate::program::signals::Signals;
use crate::progress::show_progress;
use crate::progress::terminal;

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
                terminal::say(&format!("error: {}\n", error::report(&*error)));
                ExitCode::from(error::find(&*error).map_or(FAILED, Error::exit_code))
            }
        }
    }
}

/// Runs an asynchronous `main` to its end, or until the program is told to end, waits for what is pending then, and
/// removes what it made.
pub fn run_main<F>(main: F) -> ExitCode
where
    F: Future<Output: MainOutput>,
{
    let Program { runtime, told } = match Program::start() {
        Ok(program) => program,
        Err(code) => return code,
    };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            tokio::select! {
                code = async {
                    let code = main.await.conclude();
                    pending::wait_for_all(None).await;
                    // What `main` waited for may have been given up for that.
                    let status = *told.borrow();
                    status.map_or(code, ExitCode::from)
                } => code,
                status = told_to_end(told.clone()) => ExitCode::from(status),
            }
        })
    }));
    ambient::forget_default();
    // Tasks that `main` left behind may hold more.
    runtime.block_on(remove_everything());
    runtime.shutdown_background();
    terminal::close();
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs a plain `main` to its end, or until the program is told to end, and then removes what it made.
pub fn run_blocking_main<T: MainOutput>(main: impl FnOnce() -> T) -> ExitCode {
    let Program { runtime, told } = match Program::start() {
        Ok(program) => program,
        Err(code) => return code,
    };
    // What `main` holds cannot be dropped from here, but all that is to be removed is known.
    let ending = told.clone();
    runtime.spawn(async move {
        let status = told_to_end(ending).await;
        remove_everything().await;
        terminal::close();
        std::process::exit(status.into());
    });
    let ended = catch_unwind(AssertUnwindSafe(main));
    if told.borrow().is_some() {
        // Its runs were stopped, and so how it ended means nothing.
        loop {
            std::thread::park();
        }
    }
    let ended = catch_unwind(AssertUnwindSafe(|| match ended {
        Ok(output) => output.conclude(),
        Err(panic) => resume_unwind(panic),
    }));
    ambient::forget_default();
    wait_for(&runtime, pending::wait_for_all(None));
    if told.borrow().is_some() {
        // The signal's own task ends the program.
        loop {
            std::thread::park();
        }
    }
    wait_for(&runtime, remove_everything());
    runtime.shutdown_background();
    terminal::close();
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Waits for `future`, also where a thread of another runtime calls a plain `main`.
fn wait_for(runtime: &Runtime, future: impl Future<Output = ()> + Send + 'static) {
    let (done, waiting) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        future.await;
        // Nobody but us waits.
        let _ = done.send(());
    });
    // An error says that it broke down, and was told.
    let _ = waiting.recv();
}

/// What a program has around its `main`.
struct Program {
    runtime: Runtime,
    /// The status to end with, once the program is told to end.
    told: watch::Receiver<Option<u8>>,
}

impl Program {
    fn start() -> Result<Self, ExitCode> {
        panics::write_without_note();
        show_progress();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
                Err::<(), _>(Error::runner("cannot start threads", error)).conclude()
            })?;
        let (tell, told) = watch::channel(None);
        let inside = runtime.enter();
        match Signals::take() {
            Ok(signals) => drop(tokio::spawn(listen(signals, tell))),
            Err(error) => tracing::warn!("cannot wait for Ctrl-C: {error}"),
        }
        drop(inside);
        Ok(Self { runtime, told })
    }
}

/// Tells of the first signal; the second ends the program at once.
async fn listen(mut signals: Signals, tell: watch::Sender<Option<u8>>) {
    let status = signals.next().await;
    tracing::info!("stopping; press Ctrl-C again to leave at once");
    tell.send_replace(Some(status));
    pending::give_up();
    let status = signals.next().await;
    terminal::close();
    std::process::exit(status.into());
}

/// Waits until the program is told to end, and gives the status to end with.
async fn told_to_end(mut told: watch::Receiver<Option<u8>>) -> u8 {
    match told.wait_for(Option::is_some).await.map(|status| *status) {
        Ok(Some(status)) => status,
        // There is nobody who could tell.
        _ => std::future::pending().await,
    }
}
