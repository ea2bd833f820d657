//! Runs cargo: forwards its messages, and returns the artifacts or the first compiler error.

use std::ffi::OsString;
use std::io::{BufReader, IsTerminal};
use std::path::Path;
use std::process::{Command, Stdio};

use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel};
use cargo_metadata::{Artifact, CompilerMessage, Message, PackageId};

use crate::color;
use crate::error::{Error, Result};
use crate::print::print_rendered;
use crate::tool;

/// A cargo command that builds something.
#[derive(Debug)]
pub struct Cargo<'a> {
    /// The working directory.
    pub directory: &'a Path,
    /// The name of the command and its options.
    pub arguments: Vec<OsString>,
    /// Environment variables for cargo and the compiler; those without a value are removed.
    pub variables: Vec<(&'static str, Option<OsString>)>,
}

/// The outcome of a build.
#[derive(Debug)]
pub enum BuildOutcome {
    /// The files that cargo built, or found up to date.
    Artifacts(Vec<Artifact>),
    /// A failed build, whose errors were printed.
    Failed(BuildFailure),
}

/// The reason of a failed build.
#[derive(Debug)]
pub enum BuildFailure {
    /// A package whose code doesn't compile, and the first compiler error.
    Code(PackageId, Box<Diagnostic>),
    /// A failure without a compiler error, for example of a build script.
    Unknown,
}

impl Cargo<'_> {
    /// Runs the command. Messages of cargo and the compiler go to standard error.
    ///
    /// # Errors
    ///
    /// If cargo cannot be run.
    pub fn build(&self) -> Result<BuildOutcome> {
        let is_terminal = std::io::stderr().is_terminal();
        let is_coloured = color::is_on(&std::io::stderr());
        let format = if is_coloured { "json-diagnostic-rendered-ansi" } else { "json" };
        let mut child = self.command(format).stdout(Stdio::piped()).spawn().map_err(cargo_error)?;
        let (mut artifacts, mut failure) = (Vec::new(), BuildFailure::Unknown);
        if let Some(stdout) = child.stdout.take() {
            for message in Message::parse_stream(BufReader::new(stdout)) {
                match message.map_err(cargo_error)? {
                    Message::CompilerArtifact(artifact) => artifacts.push(artifact),
                    Message::CompilerMessage(message) => {
                        print_diagnostic(&message.message, is_terminal);
                        failure.record(message);
                    }
                    _ => {}
                }
            }
        }
        let status = child.wait().map_err(cargo_error)?;
        Ok(if status.success() {
            BuildOutcome::Artifacts(artifacts)
        } else {
            BuildOutcome::Failed(failure)
        })
    }

    /// Runs the failed command again, without printing, and returns its error output.
    pub(crate) fn error_output(&self) -> Result<String> {
        let output = self.command("json").arg("--quiet").output().map_err(cargo_error)?;
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn command(&self, format: &str) -> Command {
        let (command, rest) = self.arguments.split_at(1);
        let mut cargo = tool::cargo();
        cargo.args(command).arg(format!("--message-format={format}")).args(rest);
        for (name, value) in &self.variables {
            match value {
                Some(value) => cargo.env(name, value),
                None => cargo.env_remove(name),
            };
        }
        cargo.current_dir(self.directory);
        cargo
    }
}

impl BuildOutcome {
    /// Returns the artifacts, unless the build failed.
    pub fn artifacts(self) -> Option<Vec<Artifact>> {
        match self {
            Self::Artifacts(artifacts) => Some(artifacts),
            Self::Failed(_) => None,
        }
    }
}

impl BuildFailure {
    /// Keeps the first compiler error.
    fn record(&mut self, message: CompilerMessage) {
        let is_first = matches!(self, Self::Unknown);
        if is_first && message.message.level == DiagnosticLevel::Error {
            *self = Self::Code(message.package_id, Box::new(message.message));
        }
    }
}

/// Prints a compiler message, except the error and warning counts at the end, which cargo prints itself.
fn print_diagnostic(diagnostic: &Diagnostic, is_terminal: bool) {
    let Some(rendered) = &diagnostic.rendered else {
        return;
    };
    if is_count(diagnostic) {
        return;
    }
    // Clears the progress bar that cargo may have printed on this line.
    let clear = if is_terminal { "\r\x1b[K" } else { "" };
    print_rendered(&format!("{clear}{rendered}"));
}

/// Returns whether the diagnostic only counts errors or warnings. Only its text shows that.
fn is_count(diagnostic: &Diagnostic) -> bool {
    let counts = ["aborting due to ", "warning emitted", "warnings emitted"];
    counts.iter().any(|count| diagnostic.message.contains(count))
}

fn cargo_error(error: std::io::Error) -> Error {
    Error::machinery("cannot run cargo").because(error)
}
