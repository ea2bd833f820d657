//! What was started, with its streams.

use std::fmt;
use std::io::{self, Read, Write};

use super::status::{ExitStatus, Output};
use super::system::{self, Process, Reader, Writer};

/// A command that was started. It goes on when this is dropped, until the closure ends.
pub struct Child {
    /// Its input, if that is piped. Dropping it ends the input.
    pub stdin: Option<ChildStdin>,
    /// Its output, if that is piped.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, if that is piped.
    pub stderr: Option<ChildStderr>,
    pub(super) process: Process,
}

impl Child {
    /// Waits for its end, having ended its input.
    ///
    /// A command that writes more than a pipe holds goes on only when somebody reads that: see
    /// [`wait_with_output`](Self::wait_with_output).
    ///
    /// # Errors
    ///
    /// None so far, as with `std`, whose shape this has.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        Ok(self.process.wait())
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    ///
    /// None so far, as with `std`, whose shape this has.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        Ok(self.process.status())
    }

    /// Ends its input, reads both of its outputs to their ends, and waits for its own.
    ///
    /// # Errors
    ///
    /// When an output breaks off.
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        self.stdin = None;
        let readers = [self.stdout.take().map(|it| it.0), self.stderr.take().map(|it| it.0)];
        let [stdout, stderr] = system::read_both(readers)?;
        Ok(Output { status: self.process.wait(), stdout, stderr })
    }

    /// Ends it at once, with all that is in its process group.
    ///
    /// # Errors
    ///
    /// None so far, as with `std`, whose shape this has.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill();
        Ok(())
    }
}

/// What a command reads. Dropping it is the end of that.
pub struct ChildStdin(pub(super) Writer);

/// What a command writes to its standard output.
pub struct ChildStdout(pub(super) Reader);

/// What a command writes to its standard error.
pub struct ChildStderr(pub(super) Reader);

impl Write for ChildStdin {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for ChildStdout {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Read for ChildStderr {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Child")
    }
}

impl fmt::Debug for ChildStdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChildStdin")
    }
}

impl fmt::Debug for ChildStdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChildStdout")
    }
}

impl fmt::Debug for ChildStderr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChildStderr")
    }
}
