//! cargo at work: what it says is handed on, what it made is kept, and who is to blame if it fails.

use std::ffi::OsString;
use std::io::{BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel};
use cargo_metadata::{Artifact, CompilerMessage, Message, PackageId};

use crate::error::{Error, Result};
use crate::tool;

/// One command of cargo's that builds something.
#[derive(Debug)]
pub struct Cargo<'a> {
    /// Where it runs.
    pub directory: &'a Path,
    /// Its name and its options.
    pub arguments: Vec<OsString>,
    /// Variables that it and the compiler see; without a value, that they don't see.
    pub variables: Vec<(&'static str, Option<OsString>)>,
}

/// What became of the command.
#[derive(Debug)]
pub enum Built {
    /// What it made.
    Artifacts(Vec<Artifact>),
    /// Nothing, of which it has told why.
    Refused(Refusal),
}

/// What cargo could not build.
#[derive(Debug)]
pub enum Refusal {
    /// The code of this package; the first of its errors.
    Code(PackageId, Box<Diagnostic>),
    /// Something else, of which the compiler knows nothing: a build script, for example.
    Unknown,
}

impl Cargo<'_> {
    /// Runs it. What it and the compiler say goes to the standard error.
    ///
    /// # Errors
    ///
    /// When there is no cargo to run.
    pub fn build(&self) -> Result<Built> {
        let is_terminal = std::io::stderr().is_terminal();
        let format = if is_terminal { "json-diagnostic-rendered-ansi" } else { "json" };
        let mut child = self.command(format).stdout(Stdio::piped()).spawn().map_err(unusable)?;
        let (mut artifacts, mut refusal) = (Vec::new(), Refusal::Unknown);
        if let Some(stdout) = child.stdout.take() {
            for message in Message::parse_stream(BufReader::new(stdout)) {
                match message.map_err(unusable)? {
                    Message::CompilerArtifact(artifact) => artifacts.push(artifact),
                    Message::CompilerMessage(message) => {
                        show(&message.message, is_terminal);
                        refusal.note(message);
                    }
                    _ => {}
                }
            }
        }
        let status = child.wait().map_err(unusable)?;
        Ok(if status.success() { Built::Artifacts(artifacts) } else { Built::Refused(refusal) })
    }

    /// What cargo says of its failure, asked once more and shown to nobody.
    pub(crate) fn complaint(&self) -> Result<String> {
        let output = self.command("json").arg("--quiet").output().map_err(unusable)?;
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

impl Built {
    /// What cargo made, unless it refused.
    pub fn artifacts(self) -> Option<Vec<Artifact>> {
        match self {
            Self::Artifacts(artifacts) => Some(artifacts),
            Self::Refused(_) => None,
        }
    }
}

impl Refusal {
    fn note(&mut self, message: CompilerMessage) {
        let is_first = matches!(self, Self::Unknown);
        if is_first && message.message.level == DiagnosticLevel::Error {
            *self = Self::Code(message.package_id, Box::new(message.message));
        }
    }
}

/// Writes what the compiler says, but for the counts at the end, which cargo tells itself.
fn show(diagnostic: &Diagnostic, is_terminal: bool) {
    let Some(rendered) = &diagnostic.rendered else {
        return;
    };
    if is_count(diagnostic) {
        return;
    }
    // cargo may have left its progress in this line.
    let clear = if is_terminal { "\r\x1b[K" } else { "" };
    // Nobody is there to read it.
    let _ = std::io::stderr().write_all(format!("{clear}{rendered}").as_bytes());
}

/// Returns whether the diagnostic only counts the others; the compiler marks such a one by its text alone.
fn is_count(diagnostic: &Diagnostic) -> bool {
    let counts = ["aborting due to ", "warning emitted", "warnings emitted"];
    counts.iter().any(|count| diagnostic.message.contains(count))
}

fn unusable(error: std::io::Error) -> Error {
    Error::machinery("cannot run cargo").because(error)
}
