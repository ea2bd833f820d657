//! Runs a whole program: passes arguments and standard input to it, and maps its output and its exit status.

mod streams;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use futures::future::{Either, select};
use hype::__internal::{OutputRelay, relay_output, run_main, show_warnings};
use hype::component::ProgramOutput;
use hype::{Closure, Component, FailureKind, RunEnvironment, Submitter};

use crate::environment_options::EnvironmentOptions;
use crate::error::{Error, Result};
use crate::exec::streams::Streams;
use crate::print::print_error;
use crate::program_module::{encode_program, is_module};
use crate::streaming::wait_until_closed;
use crate::submitter_option::SubmitterOption;

/// The exit status after an error of hype, as of `docker run`, `env` and `timeout`.
pub(crate) const OWN_ERROR: u8 = 125;

/// The exit status of a program that crashed, as after SIGABRT.
const CRASHED: u8 = 128 + 6;

/// The exit status of a program whose output nobody reads any more, as after SIGPIPE.
const PIPE_CLOSED: u8 = 128 + 13;

const AFTER_HELP: &str = "\
Standard output and standard error are the program's, byte for byte. The program sees its own /tmp, and what --mount, \
--file and --dir add.

Exit status: that of the program; 125 hype failed or a limit was exceeded; 130 Ctrl-C; 134 the program crashed; 141 \
nothing reads its standard output any more.

Examples:
  cargo hype exec rg.wasm --mount .:/src:ro -- -n 'fn main' /src
  cargo hype exec sort.wasm --stdin names.txt --submitter docker -- -r";

/// The program to run, its input and its environment.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, mut_arg("hype_profile", |arg| arg.visible_alias("profile")))]
pub struct ExecOptions {
    /// The program, a .wasm file compiled for wasm32-wasip1 or wasm32-wasip2
    program: PathBuf,
    /// The arguments of the program
    #[arg(value_name = "ARG", trailing_var_arg = true)]
    arguments: Vec<String>,
    /// The file that the program reads as its standard input; - is the input of this command [default: empty]
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    #[command(flatten)]
    environment: EnvironmentOptions,
    #[command(flatten)]
    submitter: SubmitterOption,
}

/// Runs the program to its end, and returns the exit status. Prints errors that aren't the program's own.
pub fn exec(options: &ExecOptions) -> ExitCode {
    let closure = match closure(options) {
        Ok(closure) => closure,
        Err(error) => return fail(&error, OWN_ERROR),
    };
    let env = options.environment.environment();
    options.submitter.apply();
    // The standard error is the program's.
    show_warnings();
    run_main(run(closure, env))
}

fn closure(options: &ExecOptions) -> Result<Closure<ProgramOutput>> {
    let program = open(&options.program)?.program(options.arguments.iter().cloned())?;
    Ok(match &options.stdin {
        Some(path) => program.with_stdin(read_input(path)?),
        None => program,
    })
}

/// Opens the program at `path`. Converts it if it is a core module.
fn open(path: &Path) -> Result<Component> {
    let bytes = std::fs::read(path).map_err(|error| {
        Error::input(format!("cannot read the program {}", path.display())).because(error)
    })?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    match is_module(&bytes) {
        true => encode_program(&name, &bytes).map_err(|error| {
            error.hint("cargo hype exec runs programs for wasm32-wasip1 (core modules) and wasm32-wasip2 (components)")
        }),
        false => Ok(Component::new(name, bytes)?),
    }
}

fn read_input(path: &Path) -> Result<Vec<u8>> {
    let mut input = Vec::new();
    let read = match path == Path::new("-") {
        true => std::io::stdin().lock().read_to_end(&mut input).map(drop),
        false => std::fs::read(path).map(|bytes| input = bytes),
    };
    let cannot_read = || Error::input(format!("cannot read the input {}", path.display()));
    read.map(|()| input).map_err(|error| cannot_read().because(error))
}

async fn run(closure: Closure<ProgramOutput>, env: RunEnvironment) -> ExitCode {
    let submitter = match Submitter::ambient() {
        Ok(submitter) => submitter,
        Err(error) => return fail(&error.into(), OWN_ERROR),
    };
    let (streams, write_failed) = Streams::new();
    let streams = Arc::new(streams);
    let relay = OutputRelay(Arc::clone(&streams) as _);
    let run = submitter.spawn(relay_output(closure, relay), &env);
    // Some kinds of output can't be watched; then a write finds out that nothing reads it.
    let closed = select(write_failed, Box::pin(wait_until_closed()));
    match select(pin!(run.wait()), closed).await {
        Either::Left((ended, _)) => conclude(ended, &streams),
        // Dropping the wait stops the run.
        Either::Right(_) => ExitCode::from(PIPE_CLOSED),
    }
}

/// Writes the rest of the output and returns the exit status.
fn conclude(ended: hype::Result<ProgramOutput>, streams: &Streams) -> ExitCode {
    let (output, error) = match ended {
        Ok(output) => (Some(output), None),
        Err(error) => (error.failure().and_then(|failure| failure.value().ok()), Some(error)),
    };
    match output.as_ref().map_or(Ok(false), |output| streams.finish(output)) {
        Ok(false) => {}
        Ok(true) => return ExitCode::from(PIPE_CLOSED),
        Err(error) => return fail(&error, OWN_ERROR),
    }
    let Some(error) = error else { return ExitCode::SUCCESS };
    let failure = error.failure().map(|failure| (failure.kind, failure.exit_status));
    match failure {
        Some((_, Some(status))) => ExitCode::from(status),
        Some((kind, None)) if is_crash(kind) => fail(&error.into(), CRASHED),
        _ => fail(&error.into(), OWN_ERROR),
    }
}

/// Returns whether a failure is an error in the program itself.
fn is_crash(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Trap | FailureKind::Panic | FailureKind::Stack)
}

fn fail(error: &Error, status: u8) -> ExitCode {
    print_error(&error.report());
    ExitCode::from(status)
}
