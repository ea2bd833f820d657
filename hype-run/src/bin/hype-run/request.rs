//! The common parts of the roles: the request and the executor of a command line, and the exit status of an error.

use std::io::{BufRead, Read};
use std::process::ExitCode;
use std::time::Duration;

use hype_run::{
    Cache, CancellationToken, CommandIsolation, Compiler, Executor, RunRequest, Variables,
};
use hype_wire::launch::{ATTEMPT_VARIABLE, Invocation, KeySource};
use hype_wire::{RunKey, WireError, exit_status};

use crate::{BoxError, print_error, wrong_usage};

/// The maximum number of bytes that are read from the standard input for a key, more than a key has.
const MAX_KEY_LINE: u64 = 128;

/// The timeout for a key on the standard input. The submitter writes the key before the process starts. If a user
/// restarts the container, its input stays open without a key.
const KEY_TIMEOUT: Duration = Duration::from_secs(60);

/// The reason to treat a start as repeated: the key was passed to the first start.
const NO_KEY: &str = "no run key arrived on the standard input";

/// The error of a repeated start.
#[derive(Debug)]
pub(crate) struct StartedBefore(pub(crate) &'static str);

impl std::fmt::Display for StartedBefore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this attempt was started before, and runs once: {}", self.0)
    }
}

impl std::error::Error for StartedBefore {}

/// Prints the error of a command line and returns its exit status.
pub(crate) fn rejected(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    match error.is::<StartedBefore>() {
        true => print_failure(error),
        false => wrong_usage(error),
    }
}

/// Prints the error and returns its exit status.
pub(crate) fn print_failure(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    print_error(error);
    ExitCode::from(match error.is::<StartedBefore>() {
        true => exit_status::STARTED_BEFORE,
        false => exit_status::NO_OUTCOME,
    })
}

/// Returns the request of a command line. Reads the key.
pub(crate) fn request(invocation: &Invocation) -> Result<RunRequest, BoxError> {
    let key = invocation.key.as_ref().map(read_key).transpose()?;
    let attempt = match std::env::var(ATTEMPT_VARIABLE) {
        Ok(attempt) => attempt
            .parse()
            .map_err(|_| format!("{ATTEMPT_VARIABLE} is `{attempt}`, which is not a number"))?,
        Err(_) => 1,
    };
    Ok(RunRequest {
        manifest_url: invocation.manifest_url.clone(),
        digest: invocation.digest,
        manifest: None,
        arguments: None,
        key,
        attempt,
        variables: Variables::of_process(),
        interrupt: CancellationToken::new(),
    })
}

/// Sets the cache, the commands and the compiler of an executor.
pub(crate) fn configured(executor: Executor, invocation: &Invocation) -> Executor {
    let commands = match invocation.isolates_commands {
        true => CommandIsolation::Namespaces,
        false => CommandIsolation::Container,
    };
    executor
        .with_cache(Cache::from_env())
        .with_commands(commands)
        .with_compiler(Compiler::in_children())
}

fn read_key(source: &KeySource) -> Result<RunKey, BoxError> {
    let (location, text) = match source {
        KeySource::StandardInput => ("on the standard input".to_owned(), read_line()?),
        KeySource::File(path) => (path.display().to_string(), std::fs::read_to_string(path)),
    };
    let message = |error: BoxError| format!("cannot read the key file {location}: {error}");
    let text = text.map_err(|error| message(error.into()))?;
    if *source == KeySource::StandardInput && text.is_empty() {
        return Err(StartedBefore(NO_KEY).into());
    }
    Ok(text.parse().map_err(|error: WireError| message(error.into()))?)
}

/// Reads one line of the standard input, which the submitter may keep open afterwards.
fn read_line() -> Result<std::io::Result<String>, StartedBefore> {
    let (send, read) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().take(MAX_KEY_LINE).read_line(&mut line).map(|_| line);
        // The receiver is gone if the timeout has passed.
        let _ = send.send(read);
    });
    read.recv_timeout(KEY_TIMEOUT).map_err(|_| StartedBefore(NO_KEY))
}

/// Waits for SIGTERM, which Kubernetes and Docker send before they kill a container, or for Ctrl-C.
pub(crate) async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    // Without signal support no signal ever arrives.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
