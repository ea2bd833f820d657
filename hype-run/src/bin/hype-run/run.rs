//! The role `run`: runs the call of a manifest, writes its outcome and exits.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use hype_run::{Executor, GuestOutput, MarkedLines, RunRequest, Start, Stream, run};
use hype_wire::launch::Invocation;
use hype_wire::{SILENT, STARTED_AGAIN};

use crate::request::{StartedBefore, configured, print_failure, rejected, request, stop_signal};
use crate::{BoxError, print_note};

struct Options {
    invocation: Invocation,
    request: RunRequest,
    termination_log: Option<File>,
}

/// Runs what the command line names and returns the exit status.
pub(crate) fn main(invocation: Invocation) -> ExitCode {
    let options = match options(invocation) {
        Ok(options) => options,
        Err(error) => return rejected(&*error),
    };
    match start(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => print_failure(&*error),
    }
}

fn options(invocation: Invocation) -> Result<Options, BoxError> {
    let request = request(&invocation)?;
    let termination_log = invocation.termination_log.as_deref().map(open_log).transpose()?;
    Ok(Options { invocation, request, termination_log })
}

fn open_log(path: &Path) -> Result<File, BoxError> {
    let open = File::options().write(true).create(true).truncate(false).open(path);
    Ok(open
        .map_err(|error| format!("cannot open the termination log {}: {error}", path.display()))?)
}

/// Runs the closure, unless this is a repeated start. Writes the termination log.
fn start(mut options: Options) -> Result<(), BoxError> {
    let log = options.termination_log.take();
    let first = match options.invocation.once.take() {
        None => None,
        Some(directory) => {
            let message =
                |error| format!("cannot mark the start in {}: {error}", directory.display());
            match Start::begin(&directory).map_err(message)? {
                Start::First(first) => Some(first),
                Start::Repeated(None) => {
                    return Err(StartedBefore("the first start left no outcome").into());
                }
                Start::Repeated(Some(termination)) => {
                    return write_termination(log, &format!("{termination}{STARTED_AGAIN}\n"));
                }
            }
        }
    };
    let termination = execute(options)?;
    if let Some(Err(error)) = first.map(|first| first.end(&termination)) {
        print_note(&format!(
            "hype-run: cannot store the termination line for repeated starts: {error}"
        ));
    }
    write_termination(log, &termination)
}

/// Writes the termination line as the only content of the termination log. All commands have ended by now; anything else
/// in the file was written by one of them.
fn write_termination(log: Option<File>, termination: &str) -> Result<(), BoxError> {
    let Some(mut log) = log else { return Ok(()) };
    if log.metadata()?.is_file() {
        log.set_len(0)?;
    }
    Ok(log.write_all(termination.as_bytes())?)
}

/// Runs the closure and returns the lines of the termination log.
fn execute(options: Options) -> Result<String, BoxError> {
    // One thread suffices beside that of the closure, since what may take long has other threads.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let executor = configured(Executor::for_one_call(), &options.invocation);
    let lines = options.invocation.marks_errors.then(|| Arc::new(MarkedLines::default()));
    let output = match lines.clone() {
        Some(lines) => GuestOutput::new(move |stream, bytes| write_out(&lines.add(stream, bytes))),
        None => GuestOutput::new(|stream, bytes| match stream {
            Stream::Stdout => write_out(bytes),
            // A closed standard error must not stop the closure.
            Stream::Stderr => drop(std::io::stderr().write_all(bytes)),
        }),
    };
    let output = if options.invocation.keeps_log { output.keeping_all() } else { output };
    let interrupt = options.request.interrupt.clone();
    let finished = runtime.block_on(async {
        tokio::spawn(async move {
            stop_signal().await;
            interrupt.cancel();
        });
        run(&executor, &options.request, output).await
    });
    if let Some(lines) = &lines {
        write_out(&lines.end());
    }
    // The process exits now: the system frees its memory, and a running compilation is not awaited.
    std::mem::forget((runtime, executor));
    let mut termination = format!("{}\n", finished?.line);
    // The submitter then needn't request the log.
    if lines.is_some_and(|lines| lines.is_silent()) {
        termination = format!("{termination}{SILENT}\n");
    }
    Ok(termination)
}

fn write_out(bytes: &[u8]) {
    // A closed standard output must not stop the closure.
    let _ = std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush());
}
