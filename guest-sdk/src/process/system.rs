//! Implements commands with the import `spotify:hype/process`.

use std::io;

use wasip2::io::poll::poll;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use super::child::{Child, ChildStderr, ChildStdin, ChildStdout};
use super::command::{Command, Stdio, StdioKind};
use super::status::{ExitStatus, Termination};

mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "commands",
        with: {
            "wasi:io/error@0.2.12": wasip2::io::error,
            "wasi:io/poll@0.2.12": wasip2::io::poll,
            "wasi:io/streams@0.2.12": wasip2::io::streams,
        },
    });
}

use bindings::spotify::hype::process;

/// The maximum number of bytes of one read.
const CHUNK_SIZE: u64 = 64 << 10;

pub(super) struct Process(process::Child);

pub(super) struct Reader(InputStream);

pub(super) struct Writer(OutputStream);

/// Starts `command`; `output` is the default of its standard output and standard error.
pub(super) fn start(command: &Command, output: Stdio) -> io::Result<Child> {
    let set = |(name, value): (&String, &Option<String>)| Some((name.clone(), value.clone()?));
    let removed = command.variables.iter().filter(|(_, value)| value.is_none());
    let request = process::Command {
        program: command.program.clone(),
        arguments: command.arguments.clone(),
        environment: command.variables.iter().filter_map(set).collect(),
        removed: removed.map(|(name, _)| name.clone()).collect(),
        clear: command.clear,
        directory: command.directory.clone(),
        stdin: stdio(command.stdin.unwrap_or(Stdio::inherit())),
        stdout: stdio(command.stdout.unwrap_or(output)),
        stderr: stdio(command.stderr.unwrap_or(output)),
    };
    // Keeps the order of the closure's and the command's output.
    flush();
    let child = process::spawn(&request)
        .map_err(|error| io::Error::new(error_kind(error.kind), error.message))?;
    Ok(Child {
        stdin: child.take_stdin().map(|stream| ChildStdin(Writer(stream))),
        stdout: child.take_stdout().map(|stream| ChildStdout(Reader(stream))),
        stderr: child.take_stderr().map(|stream| ChildStderr(Reader(stream))),
        process: Process(child),
    })
}

fn flush() {
    use io::Write;
    // A closed output must not prevent the start.
    let _ = io::stdout().flush();
}

fn stdio(stdio: Stdio) -> process::Stdio {
    match stdio.0 {
        StdioKind::Null => process::Stdio::Null,
        StdioKind::Inherit => process::Stdio::Inherit,
        StdioKind::Piped => process::Stdio::Piped,
    }
}

fn error_kind(kind: process::ErrorKind) -> io::ErrorKind {
    match kind {
        process::ErrorKind::NotFound => io::ErrorKind::NotFound,
        process::ErrorKind::NotAllowed => io::ErrorKind::PermissionDenied,
        process::ErrorKind::Invalid => io::ErrorKind::InvalidInput,
        process::ErrorKind::TooMany => io::ErrorKind::WouldBlock,
        process::ErrorKind::Other => io::ErrorKind::Other,
    }
}

/// Reads both streams to their ends, concurrently: a command blocks while one of its pipes is full.
pub(super) fn read_both(readers: [Option<Reader>; 2]) -> io::Result<[Vec<u8>; 2]> {
    let mut read: [Vec<u8>; 2] = Default::default();
    let mut open: Vec<_> = readers.into_iter().zip(&mut read).collect();
    open.retain(|(reader, _)| reader.is_some());
    while !open.is_empty() {
        let streams = open.iter().flat_map(|(reader, _)| reader);
        let waiting: Vec<_> = streams.map(|Reader(stream)| stream.subscribe()).collect();
        let mut ready = poll(&waiting.iter().collect::<Vec<_>>());
        drop(waiting);
        // Descending order, since an ended stream is removed by its index.
        ready.sort_unstable();
        for index in ready.into_iter().rev() {
            let (Some(Reader(stream)), bytes) = &mut open[index as usize] else { continue };
            match stream.read(CHUNK_SIZE) {
                Ok(chunk) => bytes.extend(chunk),
                Err(StreamError::Closed) => drop(open.remove(index as usize)),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(io::Error::other(error.to_debug_string()));
                }
            }
        }
    }
    Ok(read)
}

impl Process {
    pub(super) fn wait(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.status() {
                return status;
            }
            self.0.subscribe().block();
        }
    }

    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.0.status().map(|status| {
            ExitStatus(match status {
                process::ExitStatus::Exited(code) => Termination::Code(code),
                process::ExitStatus::Signaled(signal) => Termination::Signal(signal),
            })
        })
    }

    pub(super) fn kill(&self) {
        self.0.kill();
    }
}

impl Reader {
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        match self.0.blocking_read(CHUNK_SIZE.min(bytes.len() as u64)) {
            Ok(read) => {
                bytes[..read.len()].copy_from_slice(&read);
                Ok(read.len())
            }
            Err(StreamError::Closed) => Ok(0),
            Err(StreamError::LastOperationFailed(error)) => {
                Err(io::Error::other(error.to_debug_string()))
            }
        }
    }
}

impl Writer {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        loop {
            // The command has closed its input.
            let closed = |_| io::Error::from(io::ErrorKind::BrokenPipe);
            match self.0.check_write().map_err(closed)? {
                0 => self.0.subscribe().block(),
                capacity => {
                    let chunk = &bytes[..bytes.len().min(capacity as usize)];
                    self.0.write(chunk).map_err(closed)?;
                    return Ok(chunk.len());
                }
            }
        }
    }
}
