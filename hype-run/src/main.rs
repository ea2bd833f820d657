//! The command that every image of hype carries: runs one closure and leaves its outcome.

use std::fs::File;
use std::io::{BufRead, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hype_run::{
    Cache, CancellationToken, CommandPlace, Executor, MarkedLines, Output, Request, Start, Stream,
    Variables, run,
};
use hype_stage::StageError;
use hype_wire::launch::{ATTEMPT, Invocation, KeySource};
use hype_wire::{RunKey, SILENT, STARTED_AGAIN, WireError, causes, exit_status, report};

const USAGE: &str = "\
usage: hype-run MANIFEST_URL [--digest HEX] [--key-file PATH]
                [--termination-log PATH] [--mark-errors] [--keep-log]
                [--once DIRECTORY] [--isolate-commands]

Runs the closure whose manifest stands at MANIFEST_URL (STAGE/runs/RUN/manifest)
and writes its outcome to the same stage.

  --digest HEX            the manifest's BLAKE3 digest; without it the manifest
                          is taken as it is
  --key-file PATH         a file with the run's key, 64 hexadecimal digits, by
                          which the outcome is sealed; `-` is a line of the
                          standard input
  --termination-log PATH  where to write the line that names the outcome and
                          its digest
  --mark-errors           writes both outputs of the closure to the standard
                          output, line by line; those of its standard error
                          begin with U+2063, which isn't seen; and where there
                          is none, a second line of the termination log says
                          `silent`
  --keep-log              leaves all that the closure writes, up to 64 MiB, in
                          the stage if it is more than the outcome carries,
                          64 KiB of each output
  --once DIRECTORY        a directory of this attempt alone that outlives this
                          process: a later start with it runs nothing. It writes
                          the first one's termination line and exits with 0; if
                          the first one left none, it exits with 4
  --isolate-commands      runs granted commands in Linux namespaces, one for each
                          closure, as on a machine that runs other things, too;
                          without it they run beside this process, as in a
                          container

HYPE_ATTEMPT says which attempt at the run this is (default 1). SIGTERM stops the
closure, and the outcome then says so. The closure sees the variables of this
process, but for those that hold keys or lead to what the closure doesn't see.

HYPE_CACHE names a directory for what runs fetch, up to 4 GiB of it: components,
their machine code, and staged files. What is there and has the digest that the
manifest names isn't fetched again. Who can name a blob's digest can read it there.

Exit status: 0 an outcome was written, whatever it is; 2 wrong usage;
3 no outcome could be written; 4 this attempt was started before.";

/// How many bytes of the standard input are looked at for a key, more than one has.
const LONGEST_KEY: u64 = 128;

/// How long a key on the standard input is waited for. It is there before the process starts, but for a container that
/// somebody starts again: its input stays open, and nobody writes to it.
const KEY_TIME: Duration = Duration::from_secs(60);

/// Why a start is taken for a later one: its key was handed to the first.
const NO_KEY: &str = "nobody hands over the run's key on the standard input";

/// musl's own asks the system for a few pages at a time, and lets threads wait for each other: an eighth of the
/// time of a short run.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

struct Options {
    invocation: Invocation,
    request: Request,
    termination_log: Option<File>,
}

/// The error of a start after the first.
#[derive(Debug)]
struct StartedBefore(&'static str);

impl std::fmt::Display for StartedBefore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this attempt was started before, and runs once: {}", self.0)
    }
}

impl std::error::Error for StartedBefore {}

fn main() -> ExitCode {
    hide();
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            eprintln!("hype-run {}\n{USAGE}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Err(error) if error.is::<StartedBefore>() => return failed(&*error),
        Err(error) => {
            print(&*error);
            eprintln!("\n{USAGE}");
            return ExitCode::from(exit_status::WRONG_USAGE);
        }
    };
    match start(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    print(error);
    ExitCode::from(match error.is::<StartedBefore>() {
        true => exit_status::STARTED_BEFORE,
        false => exit_status::NO_OUTCOME,
    })
}

/// Lets no other process of this user look at this one's variables and memory, in which credentials are: neither
/// a command that a closure runs, nor what that leaves behind.
fn hide() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            tracing::debug!("other processes may look at this one: {error}");
        }
    }
}

/// The options, or nothing when help was asked for.
fn options() -> Result<Option<Options>, BoxError> {
    let Some(invocation) = Invocation::parse(std::env::args_os().skip(1))? else {
        return Ok(None);
    };
    let key = invocation.key.as_ref().map(read_key).transpose()?;
    let termination_log = invocation.termination_log.as_deref().map(open_log).transpose()?;
    let attempt = match std::env::var(ATTEMPT) {
        Ok(attempt) => {
            attempt.parse().map_err(|_| format!("{ATTEMPT} is `{attempt}`, which is no number"))?
        }
        Err(_) => 1,
    };
    let request = Request {
        manifest_url: invocation.manifest_url.clone(),
        digest: invocation.digest,
        manifest: None,
        key,
        attempt,
        variables: Variables::of_process(),
        interrupt: CancellationToken::new(),
    };
    Ok(Some(Options { invocation, request, termination_log }))
}

fn open_log(path: &Path) -> Result<File, BoxError> {
    let open = File::options().append(true).create(true).open(path);
    Ok(open
        .map_err(|error| format!("cannot open the termination log {}: {error}", path.display()))?)
}

fn read_key(source: &KeySource) -> Result<RunKey, BoxError> {
    let (shown, text) = match source {
        KeySource::StandardInput => ("on the standard input".to_owned(), read_line()?),
        KeySource::File(path) => (path.display().to_string(), std::fs::read_to_string(path)),
    };
    let cannot = |error: BoxError| format!("cannot read the key file {shown}: {error}");
    let text = text.map_err(|error| cannot(error.into()))?;
    if *source == KeySource::StandardInput && text.is_empty() {
        return Err(StartedBefore(NO_KEY).into());
    }
    Ok(text.parse().map_err(|error: WireError| cannot(error.into()))?)
}

/// One line, after which whoever wrote it may keep the other end open.
fn read_line() -> Result<std::io::Result<String>, StartedBefore> {
    let (send, read) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().take(LONGEST_KEY).read_line(&mut line).map(|_| line);
        // Nobody waits any more only when the process ends.
        let _ = send.send(read);
    });
    read.recv_timeout(KEY_TIME).map_err(|_| StartedBefore(NO_KEY))
}

/// Runs the closure, unless that was begun before.
fn start(mut options: Options) -> Result<(), BoxError> {
    let log = options.termination_log.take();
    let first = match options.invocation.once.take() {
        None => None,
        Some(directory) => {
            let cannot =
                |error| format!("cannot mark the start in {}: {error}", directory.display());
            match Start::begin(&directory).map_err(cannot)? {
                Start::First(first) => Some(first),
                Start::Again(None) => {
                    return Err(StartedBefore("the first start left no outcome").into());
                }
                Start::Again(Some(told)) => return tell(log, &format!("{told}{STARTED_AGAIN}\n")),
            }
        }
    };
    let told = execute(options)?;
    if let Some(Err(error)) = first.map(|first| first.end(&told)) {
        eprintln!("hype-run: the end of this start cannot be kept for later ones: {error}");
    }
    tell(log, &told)
}

fn tell(log: Option<File>, told: &str) -> Result<(), BoxError> {
    Ok(log.map_or(Ok(()), |mut log| log.write_all(told.as_bytes()))?)
}

/// Runs the closure, and gives what is to be told of its end.
fn execute(options: Options) -> Result<String, BoxError> {
    // One closure needs one thread: it yields at each tick, and what waits for a disk has others.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let executor = Executor::for_one_call();
    let commands = match options.invocation.isolates_commands {
        true => CommandPlace::Apart,
        false => CommandPlace::Here,
    };
    let executor = executor.with_cache(Cache::from_env()).with_commands(commands);
    let lines = options.invocation.marks_errors.then(|| Arc::new(MarkedLines::default()));
    let output = match lines.clone() {
        Some(lines) => Output::new(move |stream, bytes| write_out(&lines.add(stream, bytes))),
        None => Output::new(|stream, bytes| match stream {
            Stream::Stdout => write_out(bytes),
            // A reader of our output that is gone is no reason to stop the closure.
            Stream::Stderr => drop(std::io::stderr().write_all(bytes)),
        }),
    };
    let output = if options.invocation.keeps_log { output.keeping_all() } else { output };
    let interrupt = options.request.interrupt.clone();
    let finished = runtime.block_on(async {
        tokio::spawn(async move {
            told_to_stop().await;
            interrupt.cancel();
        });
        run(&executor, &options.request, output).await
    });
    if let Some(lines) = &lines {
        write_out(&lines.end());
    }
    // The process ends now: the system takes all of it back at once, and what is still being compiled
    // is not waited for.
    std::mem::forget((runtime, executor));
    let mut told = format!("{}\n", finished?.line);
    // Whoever reads the one log of both outputs needn't ask for it.
    if lines.is_some_and(|lines| lines.is_silent()) {
        told = format!("{told}{SILENT}\n");
    }
    Ok(told)
}

fn write_out(bytes: &[u8]) {
    // A reader of our output that is gone is no reason to stop the closure.
    let _ = std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush());
}

/// Waits for SIGTERM, by which Kubernetes and Docker announce the end, or for Ctrl-C.
async fn told_to_stop() {
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
    // Without signals there is nobody who could tell.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn print(error: &(dyn std::error::Error + 'static)) {
    let hint = causes(error).find_map(|cause| cause.downcast_ref::<StageError>()?.advice());
    eprintln!("error: {}", report(error, &[], hint));
}
