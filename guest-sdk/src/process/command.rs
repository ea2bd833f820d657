//! What to start, and with what.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::child::Child;
use super::status::{ExitStatus, Output};
use super::system;

/// Where one of a command's standard streams leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stdio(pub(super) Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Inherit,
    Piped,
}

impl Stdio {
    /// To nothing: reading gives the end, and what is written is gone.
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// To that of the closure. Its input has ended; what is written is the closure's output.
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// To the closure, by a field of [`Child`].
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }
}

/// A program to start, with its arguments, variables, directory and streams.
///
/// Without more it has no arguments, the closure's variables, the working directory `/`, and the closure's
/// streams. `PATH` is that of the machine.
#[derive(Debug)]
pub struct Command {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    /// What is set, and what is left out.
    pub(super) variables: BTreeMap<String, Option<String>>,
    pub(super) clear: bool,
    pub(super) directory: Option<String>,
    pub(super) stdin: Option<Stdio>,
    pub(super) stdout: Option<Stdio>,
    pub(super) stderr: Option<Stdio>,
}

impl Command {
    /// The program that is granted by the name `program`.
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

    /// With one argument more. No shell looks at it.
    pub fn arg(&mut self, argument: impl Into<String>) -> &mut Self {
        self.arguments.push(argument.into());
        self
    }

    /// With these arguments more.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// With this variable. Those that lead to other programs can't be set: `PATH`, `IFS`, `BASH_ENV`,
    /// `GCONV_PATH`, and all that begin with `LD_`.
    pub fn env(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.variables.insert(name.into(), Some(value.into()));
        self
    }

    /// With these variables.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> &mut Self {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Without this variable of the closure's.
    pub fn env_remove(&mut self, name: impl Into<String>) -> &mut Self {
        self.variables.insert(name.into(), None);
        self
    }

    /// Without the closure's variables, and those set so far.
    pub fn env_clear(&mut self) -> &mut Self {
        self.clear = true;
        self.variables.clear();
        self
    }

    /// With this working directory, as the closure sees it.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().to_string_lossy().into_owned());
        self
    }

    /// With its input from there.
    pub fn stdin(&mut self, stdin: Stdio) -> &mut Self {
        self.stdin = Some(stdin);
        self
    }

    /// With its output to there.
    pub fn stdout(&mut self, stdout: Stdio) -> &mut Self {
        self.stdout = Some(stdout);
        self
    }

    /// With its standard error to there.
    pub fn stderr(&mut self, stderr: Stdio) -> &mut Self {
        self.stderr = Some(stderr);
        self
    }

    /// Starts it. Its streams are the closure's where nothing else was said.
    ///
    /// # Errors
    ///
    /// When it can't be started: [`NotFound`](io::ErrorKind::NotFound) where there is no such program.
    pub fn spawn(&mut self) -> io::Result<Child> {
        system::start(self, Stdio::inherit())
    }

    /// Starts it and waits for its end. Its streams are the closure's where nothing else was said.
    ///
    /// # Errors
    ///
    /// When it can't be started. How it ended is no error.
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// Starts it, waits for its end, and gives all that it wrote. It has no input, where nothing else was
    /// said.
    ///
    /// # Errors
    ///
    /// When it can't be started. How it ended is no error.
    pub fn output(&mut self) -> io::Result<Output> {
        system::start(self, Stdio::piped())?.wait_with_output()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_closure_there_is_std() {
        let error = Command::new("uname").arg("-a").output().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "`uname` can be started only inside a closure; elsewhere there is std::process"
        );
    }
}
