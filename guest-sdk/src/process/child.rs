//! A started command and its streams.

use std::fmt;
use std::io::{self, Read, Write};

use super::status::{ExitStatus, Output};
use super::system::{self, Process, Reader, Writer};

/// A started command. It keeps running when this is dropped, until the closure ends.
///
/// ```no_run
/// # fn stop() -> std::io::Result<()> {
/// use hype::process::Command;
///
/// // Granted by RunEnvironment::allow_command("sleep").
/// let mut child = Command::new("sleep").arg("60").spawn()?;
/// child.kill()?;
/// assert!(!child.wait()?.success());
/// # Ok(())
/// # }
/// ```
pub struct Child {
    /// The standard input, if it is piped. Dropping it closes the pipe.
    pub stdin: Option<ChildStdin>,
    /// The standard output, if it is piped.
    pub stdout: Option<ChildStdout>,
    /// The standard error, if it is piped.
    pub stderr: Option<ChildStderr>,
    pub(super) process: Process,
}

impl Child {
    /// Closes the standard input and waits until the command has ended.
    ///
    /// A command that fills a pipe blocks until the pipe is read; use [`wait_with_output`](Self::wait_with_output) if
    /// the output is piped.
    ///
    /// # Errors
    ///
    /// Never fails. The return type is that of `std`.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        Ok(self.process.wait())
    }

    /// Returns the exit status, or `None` if the command is still running.
    ///
    /// # Errors
    ///
    /// Never fails. The return type is that of `std`.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        Ok(self.process.status())
    }

    /// Closes the standard input, reads standard output and standard error to their ends, and waits until the command
    /// has ended.
    ///
    /// ```no_run
    /// # fn count() -> std::io::Result<()> {
    /// use std::io::Write;
    ///
    /// use hype::process::{Command, Stdio};
    ///
    /// // Granted by RunEnvironment::allow_command("wc").
    /// let mut wc = Command::new("wc");
    /// let mut child = wc.arg("-w").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// if let Some(stdin) = &mut child.stdin {
    ///     stdin.write_all(b"to be or not to be")?;
    /// }
    /// let output = child.wait_with_output()?;
    /// assert_eq!(output.stdout.trim_ascii(), b"6");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If reading an output fails.
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        self.stdin = None;
        let readers = [self.stdout.take().map(|it| it.0), self.stderr.take().map(|it| it.0)];
        let [stdout, stderr] = system::read_both(readers)?;
        Ok(Output { status: self.process.wait(), stdout, stderr })
    }

    /// Kills the command and its process group. Does nothing if the command has ended.
    ///
    /// # Errors
    ///
    /// Never fails. The return type is that of `std`.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill();
        Ok(())
    }
}

/// The write end of a command's standard input. Dropping it closes the pipe.
pub struct ChildStdin(pub(super) Writer);

/// The read end of a command's standard output.
pub struct ChildStdout(pub(super) Reader);

/// The read end of a command's standard error.
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
