//! Commands outside of a closure: starting one is an error.

use std::io;

use super::child::Child;
use super::command::{Command, Stdio};
use super::status::ExitStatus;

/// A type without values, since no command is started.
pub(super) enum Process {}

/// A type without values, since no command is started.
pub(super) enum Reader {}

/// A type without values, since no command is started.
pub(super) enum Writer {}

pub(super) fn start(command: &Command, _: Stdio) -> io::Result<Child> {
    let Command { program, .. } = command;
    let message = format!(
        "`{program}` can be started only inside a closure; elsewhere there is std::process"
    );
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}

pub(super) fn read_both(readers: [Option<Reader>; 2]) -> io::Result<[Vec<u8>; 2]> {
    match readers {
        [None, None] => Ok(Default::default()),
        [Some(reader), _] | [_, Some(reader)] => match reader {},
    }
}

impl Process {
    pub(super) fn wait(&self) -> ExitStatus {
        match *self {}
    }

    pub(super) fn status(&self) -> Option<ExitStatus> {
        match *self {}
    }

    pub(super) fn kill(&self) {
        match *self {}
    }
}

impl Reader {
    pub(super) fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Writer {
    pub(super) fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }
}
