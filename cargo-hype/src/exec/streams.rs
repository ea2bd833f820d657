//! The output of a program, which becomes the output of this process.

use std::io::{self, ErrorKind};
use std::sync::{Mutex, PoisonError};

use futures::channel::oneshot;
use hype::__internal::ReceiveOutput;
use hype::component::ProgramOutput;
use hype::run::LogStream;

use crate::error::{Error, Result};
use crate::print::{is_terminal, write_bytes};

/// The streams of this process, to which those of the program are written: while it runs if the runner passes on the
/// exact bytes, or if a terminal shows them, and else at its end.
pub(super) struct Streams {
    state: Mutex<State>,
}

struct State {
    /// The number of exact bytes that were written to each stream.
    written: [usize; 2],
    /// True for each stream whose lines were shown on a terminal.
    is_shown: [bool; 2],
    /// The first error of a write.
    error: Option<io::Error>,
    /// Reports a write that has found the standard output closed.
    closed: Option<oneshot::Sender<()>>,
}

impl Streams {
    /// Creates the streams. The receiver ends when a write finds the standard output closed.
    pub(super) fn new() -> (Self, oneshot::Receiver<()>) {
        let (closed, receiver) = oneshot::channel();
        let state =
            State { written: [0; 2], is_shown: [false; 2], error: None, closed: Some(closed) };
        (Self { state: Mutex::new(state) }, receiver)
    }

    /// Writes what is not written yet. Returns whether the standard output is closed.
    ///
    /// # Errors
    ///
    /// If a stream can't be written.
    pub(super) fn finish(&self, output: &ProgramOutput) -> Result<bool> {
        let mut state = self.lock();
        let both = [(LogStream::Stdout, &output.stdout), (LogStream::Stderr, &output.stderr)];
        for (stream, bytes) in both {
            if !state.is_shown[stream as usize] {
                let written = state.written[stream as usize];
                state.write(stream, bytes.get(written..).unwrap_or_default());
            }
        }
        match state.error.take() {
            None => Ok(state.closed.is_none()),
            Some(error) => Err(Error::machinery("cannot write the output").because(error)),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReceiveOutput for Streams {
    fn receive(&self, stream: LogStream, bytes: &[u8], are_exact: bool) {
        let mut state = self.lock();
        if are_exact {
            state.write(stream, bytes);
            state.written[stream as usize] += bytes.len();
        } else if is_terminal(stream) {
            state.write(stream, bytes);
            state.is_shown[stream as usize] = true;
        }
    }
}

impl State {
    fn write(&mut self, stream: LogStream, bytes: &[u8]) {
        if bytes.is_empty() || self.error.is_some() {
            return;
        }
        match write_bytes(stream, bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                // A program whose messages nobody reads continues.
                if stream == LogStream::Stdout
                    && let Some(closed) = self.closed.take()
                {
                    // The receiver is gone if the program has ended.
                    let _ = closed.send(());
                }
            }
            Err(error) => self.error = Some(error),
        }
    }
}
