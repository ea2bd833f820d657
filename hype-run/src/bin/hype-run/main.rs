//! The command `hype-run`, which every image of hype contains. Its first argument is the role of the process.

mod items;
mod request;
mod run;

use std::io::Write;
use std::process::ExitCode;

use hype_stage::StageError;
use hype_wire::launch::{Invocation, Role};
use hype_wire::{causes, exit_status, printable, report};

const USAGE: &str = "\
usage: hype-run run MANIFEST_URL [--digest HEX] [--key-file PATH]
                    [--termination-log PATH] [--mark-errors] [--keep-log]
                    [--once DIRECTORY] [--isolate-commands]
       hype-run items MANIFEST_URL [--digest HEX] [--key-file PATH]
                    [--isolate-commands]

`run` runs the closure of the manifest at MANIFEST_URL (STAGE/runs/RUN/manifest)
and writes its outcome to the same stage. `items` runs items of a map, which
hype writes to its standard input, and writes their ends to its standard output.
It ends with its standard input.

  --digest HEX            the manifest's BLAKE3 digest; without it the manifest
                          is not verified
  --key-file PATH         a file with the run's key, 64 hexadecimal digits, which
                          seals the outcome; `-` reads a line of the standard
                          input. Items have no outcome to seal
  --termination-log PATH  the file for the line that names the outcome and its
                          digest
  --mark-errors           writes both outputs of the closure to the standard
                          output, line by line; lines of its standard error
                          begin with the invisible character U+2063; if the
                          closure writes nothing, a second line of the
                          termination log says `silent`
  --keep-log              stages the first 64 MiB of the closure's outputs if
                          they are longer than the outcome carries, which is
                          64 KiB of each output
  --once DIRECTORY        a directory of this attempt that outlives this process:
                          a repeated start with it runs nothing. It writes the
                          termination line of the first start and exits with 0;
                          if the first start wrote none, it exits with 4
  --isolate-commands      runs granted commands in Linux namespaces, one for each
                          closure, as a shared machine needs; without it they
                          run beside this process, as in a container

HYPE_ATTEMPT is the number of this attempt at the run (default 1). SIGTERM stops
the closure with a failure. The closure sees the environment variables of this
process, except those with credentials and those with paths of files with
credentials that the closure cannot read.

HYPE_CACHE is a directory that caches up to 4 GiB of components, machine code and
staged files. A run doesn't fetch blobs that are cached under the digest that its
manifest names. A submitter who knows a blob's digest can read the blob there.

Exit status: 0 an outcome was written, whatever it is, or there are no more
items; 2 wrong usage; 3 no outcome could be written; 4 this attempt was started
before.";

/// Replaces musl's allocator, which requests a few pages at a time and has one lock for all threads. That takes
/// an eighth of the time of a short run.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    make_undumpable();
    if let Some(status) = hype_run::compile_if_requested() {
        return status;
    }
    let invocation = match Invocation::parse(std::env::args_os().skip(1)) {
        Ok(Some(invocation)) => invocation,
        Ok(None) => {
            print_note(&format!("hype-run {}\n{USAGE}", env!("CARGO_PKG_VERSION")));
            return ExitCode::SUCCESS;
        }
        Err(error) => return wrong_usage(&error),
    };
    match invocation.role {
        Role::Run => run::main(invocation),
        Role::Items => items::main(invocation),
    }
}

fn wrong_usage(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    print_error(error);
    print_note(&format!("\n{USAGE}"));
    ExitCode::from(exit_status::WRONG_USAGE)
}

/// Prevents other processes of this user, such as commands of a closure, from reading the environment variables and
/// the memory of this process, which contain credentials.
fn make_undumpable() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            tracing::debug!("other processes of this user can read this one's memory: {error}");
        }
    }
}

fn print_error(error: &(dyn std::error::Error + 'static)) {
    let hint = causes(error).find_map(|cause| cause.downcast_ref::<StageError>()?.advice());
    print_note(&format!("error: {}", report(error, &[], hint)));
}

/// Prints to the standard error, without characters that a terminal acts on.
fn print_note(text: &str) {
    // A closed standard error must not change the exit status.
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}
