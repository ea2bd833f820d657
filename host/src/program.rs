//! A program that submits, from its start to its exit status.

use std::process::ExitCode;

use crate::error;
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
                ExitCode::from(error::find(&*error).map_or(1, error::Error::exit_code))
            }
        }
    }
}

/// Runs an asynchronous `main` to its end, or to Ctrl-C.
pub fn run_main<F>(main: F) -> ExitCode
where
    F: Future<Output: MainOutput>,
{
    show_progress();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return Err::<(), _>(error::Error::runner("cannot start threads", error)).conclude();
        }
    };
    let code = runtime.block_on(async {
        tokio::select! {
            output = main => output.conclude(),
            Ok(()) = tokio::signal::ctrl_c() => ExitCode::from(INTERRUPTED),
        }
    });
    runtime.shutdown_background();
    code
}

/// Runs a plain `main` to its end.
pub fn run_blocking_main<T: MainOutput>(main: impl FnOnce() -> T) -> ExitCode {
    show_progress();
    main().conclude()
}
