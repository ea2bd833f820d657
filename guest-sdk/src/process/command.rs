//! The program to start, its arguments and environment.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::child::Child;
use super::status::{ExitStatus, Output};
use super::system;

/// The source or target of a standard stream of a command.
///
/// ```
/// use hype::process::{Command, Stdio};
///
/// let mut command = Command::new("uname");
/// command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stdio(pub(super) StdioKind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StdioKind {
    Null,
    Inherit,
    Piped,
}

impl Stdio {
    /// Discards output; input is empty. Like `/dev/null`.
    pub fn null() -> Self {
        Self(StdioKind::Null)
    }

    /// Uses the closure's stream. The closure's standard input is empty; output is the closure's output.
    pub fn inherit() -> Self {
        Self(StdioKind::Inherit)
    }

    /// Connects the stream to the closure, by a field of [`Child`].
    pub fn piped() -> Self {
        Self(StdioKind::Piped)
    }
}

/// A program to start, with its arguments, environment variables, working directory and streams.
///
/// By default it has no arguments, the closure's environment variables with the machine's `PATH`, the working
/// directory `/`, and the closure's streams.
///
/// ```no_run
/// # fn sizes() -> std::io::Result<()> {
/// use hype::process::Command;
///
/// // Granted by RunEnvironment::allow_command("du").
/// let output = Command::new("du")
///     .args(["-s", "."])
///     .env("LC_ALL", "C")
///     .current_dir("/tmp")
///     .output()?;
/// assert!(output.status.success(), "{}", output.status);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Command {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    /// Variables to set, or to remove if the value is `None`.
    pub(super) variables: BTreeMap<String, Option<String>>,
    pub(super) clear: bool,
    pub(super) directory: Option<String>,
    pub(super) stdin: Option<Stdio>,
    pub(super) stdout: Option<Stdio>,
    pub(super) stderr: Option<Stdio>,
}

impl Command {
    /// Creates a command for the program that the environment grants by the name `program`.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            variables: BTreeMap::new(),
            clear: false,
            directory: None,
            stdin: None,
            stdout: None,
            stderr: None,
        }
    }

    /// Adds an argument. It is passed as it is, without a shell.
    pub fn arg(&mut self, argument: impl Into<String>) -> &mut Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    ///
    /// Variables by which the command could be made to run other code can't be set, and let [`spawn`](Self::spawn)
    /// fail: `PATH`, `IFS`, `BASH_ENV`, `GCONV_PATH`, and all that begin with `LD_`.
    pub fn env(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.variables.insert(name.into(), Some(value.into()));
        self
    }

    /// Sets environment variables.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> &mut Self {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Removes an environment variable of the closure.
    pub fn env_remove(&mut self, name: impl Into<String>) -> &mut Self {
        self.variables.insert(name.into(), None);
        self
    }

    /// Removes all environment variables of the closure, and those set before.
    pub fn env_clear(&mut self) -> &mut Self {
        self.clear = true;
        self.variables.clear();
        self
    }

    /// Sets the working directory, a path inside the closure's file system.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().to_string_lossy().into_owned());
        self
    }

    /// Sets the standard input.
    pub fn stdin(&mut self, stdin: Stdio) -> &mut Self {
        self.stdin = Some(stdin);
        self
    }

    /// Sets the standard output.
    pub fn stdout(&mut self, stdout: Stdio) -> &mut Self {
        self.stdout = Some(stdout);
        self
    }

    /// Sets the standard error.
    pub fn stderr(&mut self, stderr: Stdio) -> &mut Self {
        self.stderr = Some(stderr);
        self
    }

    /// Starts the command. Streams that are not set are the closure's.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](io::ErrorKind::NotFound): the program or the directory doesn't exist.
    /// - [`PermissionDenied`](io::ErrorKind::PermissionDenied): the program may not be executed, or a closure could
    ///   overwrite it.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): an argument, a variable or the directory is invalid.
    /// - [`WouldBlock`](io::ErrorKind::WouldBlock): 64 commands of the closure are running.
    /// - [`Unsupported`](io::ErrorKind::Unsupported): not inside a closure.
    pub fn spawn(&mut self) -> io::Result<Child> {
        system::start(self, Stdio::inherit())
    }

    /// Starts the command and waits until it has ended. Streams that are not set are the closure's.
    ///
    /// # Errors
    ///
    /// If the command can't be started, as [`spawn`](Self::spawn). A command that fails is no error.
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// Starts the command, waits until it has ended, and returns its output.
    ///
    /// Standard output and standard error are piped unless they are set. Standard input is empty unless it is set.
    ///
    /// # Errors
    ///
    /// If the command can't be started, as [`spawn`](Self::spawn), or reading its output fails. A command that fails
    /// is no error.
    pub fn output(&mut self) -> io::Result<Output> {
        system::start(self, Stdio::piped())?.wait_with_output()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_outside_of_a_closure_is_unsupported() {
        let error = Command::new("uname").arg("-a").output().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "`uname` can be started only inside a closure; elsewhere there is std::process"
        );
    }
}
