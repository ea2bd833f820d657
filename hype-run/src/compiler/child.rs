//! Compilations in child processes: each process compiles one component and exits.
//!
//! The parent writes the component to the child's standard input and keeps that open. The child writes the machine
//! code to its standard output, a file of the parent, and the reason of a failure to its standard error.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};

use futures::future::join;
use hype_wire::{ComponentRef, Failure, codec, exit_status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::CompileError;
use super::turn::compile_to;
use crate::engine::Target;
use crate::limits::COMPILER_MEMORY;
use crate::own_program;
use crate::truncate;

/// The first argument of a process that compiles.
const COMPILE: &str = "compile-component";

/// The target's name for a machine that is none of our platforms.
const THIS_MACHINE: &str = "this-machine";

/// The exit status of a child that wrote the messages of a [`CompileError::Invalid`] to its standard error.
const INVALID: u8 = 10;

/// The maximum number of messages of an error.
const MAX_MESSAGES: usize = 32;

/// The maximum size of what is read of a child's standard error, in bytes.
const MAX_ERRORS: u64 = 64 << 10;

/// Compiles in child processes.
#[derive(Debug, Clone)]
pub(super) struct ChildCompiler {
    /// The program of the children.
    pub(super) program: PathBuf,
    /// The maximum memory of a child, in bytes.
    pub(super) memory: u64,
}

impl ChildCompiler {
    /// Returns the compiler whose children run this program, if the system has Unix processes.
    pub(super) fn of_this_program() -> Option<Self> {
        let program = if cfg!(unix) { own_program::path().ok()? } else { return None };
        Some(Self { program, memory: COMPILER_MEMORY })
    }

    /// Compiles the component in `bytes` to `output`. Dropping the future kills the child.
    pub(super) async fn compile(
        &self,
        bytes: &[u8],
        target: Option<Target>,
        output: &File,
    ) -> Result<(), CompileError> {
        let target = target.map_or_else(|| THIS_MACHINE.to_owned(), |target| target.to_string());
        let (memory, size) = (self.memory.to_string(), bytes.len().to_string());
        let output = output.try_clone().map_err(CompileError::Output)?;
        let arguments = [COMPILE, &target, &memory, &size];
        let mut child =
            own_program::start(&self.program, &arguments, output).map_err(CompileError::Start)?;
        let (Some(mut input), Some(errors)) = (child.stdin.take(), child.stderr.take()) else {
            return Err(CompileError::Start(io::Error::other("the process has no pipes")));
        };
        let mut text = Vec::new();
        let mut errors = errors.take(MAX_ERRORS);
        // If the child ends before it has read the component, its status shows the reason.
        let _ = join(input.write_all(bytes), errors.read_to_end(&mut text)).await;
        // A child that writes more must not wait for this process to read it.
        drop(errors);
        let status = child.wait().await.map_err(CompileError::Start)?;
        // Kept until here: the child ends when its input does.
        drop(input);
        self.result(status, &text)
    }

    fn result(&self, status: ExitStatus, errors: &[u8]) -> Result<(), CompileError> {
        if status.success() {
            return Ok(());
        }
        if status.code() == Some(INVALID.into())
            && let Ok(messages) = codec::from_slice(errors)
        {
            return Err(CompileError::Invalid(messages));
        }
        let text = String::from_utf8_lossy(errors);
        Err(match is_out_of_memory(status, &text) {
            true => CompileError::OutOfMemory(self.memory),
            false => CompileError::Crashed(format!("{status}: {}", text.trim())),
        })
    }
}

/// Returns whether a child with this end lacked memory. Rust's standard library then prints this text and aborts,
/// as it does for other reasons; Linux kills processes where the machine's memory is exhausted.
fn is_out_of_memory(status: ExitStatus, errors: &str) -> bool {
    is_killed(status) || errors.contains("memory allocation of ")
}

#[cfg(unix)]
fn is_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(rustix::process::Signal::KILL.as_raw())
}

#[cfg(not(unix))]
fn is_killed(_: ExitStatus) -> bool {
    false
}

/// Compiles a component if the arguments of this process request it, and returns the exit status of the process. A
/// program whose [`Compiler`](crate::Compiler) uses children calls this at the start of `main`.
pub fn compile_if_requested() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != COMPILE {
        return None;
    }
    let arguments = arguments.filter_map(|argument| argument.into_string().ok());
    Some(match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(CompileError::Invalid(messages)) if report(&messages).is_ok() => {
            ExitCode::from(INVALID)
        }
        Err(error) => {
            let Failure { message, causes, .. } = error.failure("on the standard input");
            // A closed standard error must not change the exit status.
            let _ = writeln!(io::stderr(), "{message}: {}", causes.join(": "));
            ExitCode::from(exit_status::WRONG_USAGE)
        }
    })
}

/// Writes the messages, each shortened, and at most [`MAX_MESSAGES`] of them, which stay below [`MAX_ERRORS`].
fn report(messages: &[String]) -> io::Result<()> {
    let messages: Vec<_> =
        messages.iter().take(MAX_MESSAGES).map(|message| truncate::name(message)).collect();
    let bytes = codec::to_vec(&messages).map_err(io::Error::other)?;
    io::stderr().write_all(&bytes)
}

/// Compiles the component on the standard input to the standard output.
fn serve(mut arguments: impl Iterator<Item = String>) -> Result<(), CompileError> {
    let usage = || CompileError::Start(io::Error::other("only hype starts this command"));
    let target = match arguments.next().ok_or_else(usage)?.as_str() {
        THIS_MACHINE => None,
        name => Some(name.parse().map_err(|_| usage())?),
    };
    let mut number = || arguments.next()?.parse::<u64>().ok();
    let (memory, size) = number().zip(number()).ok_or_else(usage)?;
    bound_memory(memory).map_err(CompileError::Start)?;
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(size.min(ComponentRef::MAX_SIZE)).read_to_end(&mut bytes);
    read.map_err(CompileError::Start)?;
    if bytes.len() as u64 != size {
        return Err(CompileError::Start(io::ErrorKind::UnexpectedEof.into()));
    }
    own_program::exit_with_parent().map_err(CompileError::Start)?;
    compile_to(&bytes, target, &standard_output().map_err(CompileError::Output)?)
}

/// Bounds the memory that this process may write to. Address space without memory is not bounded: allocators and stacks
/// reserve more of it than they use.
#[cfg(unix)]
fn bound_memory(bytes: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let bound = |resource, bytes: u64| {
        let maximum = getrlimit(resource).maximum;
        let bytes = Some(maximum.map_or(bytes, |maximum| maximum.min(bytes)));
        setrlimit(resource, Rlimit { current: bytes, maximum: bytes })
    };
    bound(Resource::Core, 0)?;
    bound(Resource::Data, bytes)?;
    Ok(())
}

/// Does nothing: this system has no such limit.
#[cfg(not(unix))]
fn bound_memory(_: u64) -> io::Result<()> {
    Ok(())
}

fn standard_output() -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        io::stdout().as_fd().try_clone_to_owned().map(File::from)
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle;
        io::stdout().as_handle().try_clone_to_owned().map(File::from)
    }
}
