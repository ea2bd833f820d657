//! Runs `cargo hype` and captures its output.
//!
//! The command runs in the workspace or in a package that a test writes. Environment variables that would change the
//! output are removed, and [`redaction`](crate::redaction) replaces the parts that differ from run to run.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::rc::Rc;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::package::{self, Package};
use crate::redaction::redact;

/// A `cargo hype` command that is not started yet.
pub(crate) struct Hype {
    command: Command,
    /// A directory that contains the stage of this command.
    scratch: Rc<TempDir>,
}

/// The exit status and the redacted output of a command.
pub(crate) struct RedactedOutput {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Adds Rust's target if it is missing, so that no test prints that.
static TARGET: LazyLock<()> = LazyLock::new(|| {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-hype"));
    let built = command.args(["build", "-p", "hello"]).current_dir(workspace()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
});

/// Returns a `cargo hype` command with these arguments, at the root of the workspace.
pub(crate) fn hype(arguments: &[&str]) -> Hype {
    LazyLock::force(&TARGET);
    let scratch = Rc::new(tempfile::tempdir().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-hype"));
    command.args(arguments).current_dir(workspace());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(changes_output) {
            command.env_remove(name);
        }
    }
    command
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_PROGRESS_WHEN", "never")
        .env("HYPE_STAGING", format!("file://{}/stage", scratch.path().display()))
        // Isolates the test from the user's volumes and keys.
        .env("XDG_DATA_HOME", scratch.path().join("data"))
        .env("XDG_STATE_HOME", scratch.path().join("state"))
        // Keeps compiled machine code between runs, which only saves time.
        .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    Hype { command, scratch }
}

/// Returns a cargo command without the variables that the cargo around this test has set.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    for name in variables_of_cargo() {
        command.env_remove(name);
    }
    command
}

/// Returns the names of the variables that cargo sets for a test.
fn variables_of_cargo() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| {
        let name = name.to_string_lossy();
        let prefixes = ["CARGO_BIN_EXE_", "CARGO_MANIFEST_", "CARGO_PKG_"];
        prefixes.iter().any(|prefix| name.starts_with(prefix))
    })
}

fn changes_output(variable: &str) -> bool {
    let prefixes = ["HYPE_", "CARGO_TERM_"];
    let names = ["CLICOLOR_FORCE", "COLUMNS", "RUST_BACKTRACE", "RUST_LOG"];
    prefixes.iter().any(|prefix| variable.starts_with(prefix)) || names.contains(&variable)
}

impl Hype {
    /// Sets the working directory.
    pub(crate) fn in_directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Returns the directory of the stage.
    pub(crate) fn stage(&self) -> PathBuf {
        self.scratch.path().join("stage")
    }

    /// Returns the directory that contains the stage. It is deleted when this and the command are dropped.
    pub(crate) fn scratch(&self) -> Rc<TempDir> {
        Rc::clone(&self.scratch)
    }

    /// Sets the working directory to that of `package`, and shares the target directory of written packages.
    pub(crate) fn in_package(self, package: &Package) -> Self {
        self.sharing_target().in_directory(package.directory())
    }

    /// Sets the working directory to that of `package`, which has a program, and uses the workspace's target directory.
    pub(crate) fn in_program(self, package: &Package) -> Self {
        self.with_env("CARGO_TARGET_DIR", target_directory()).in_directory(package.directory())
    }

    /// Makes writing to the stage fail: a file replaces its directory `blobs`.
    pub(crate) fn with_broken_stage(self) -> Self {
        let stage = self.stage();
        std::fs::create_dir(&stage).unwrap();
        std::fs::write(stage.join("blobs"), "").unwrap();
        self
    }

    /// Uses the target directory that all written packages share.
    pub(crate) fn sharing_target(self) -> Self {
        self.with_env("CARGO_TARGET_DIR", package::target_directory())
    }

    /// Gives the command its own directories for temporary files and machine code, so that it finds no leftovers of other
    /// tests.
    pub(crate) fn without_leftovers(self) -> Self {
        let scratch = self.scratch();
        let names = ["TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"];
        names.into_iter().fold(self, |command, name| command.with_env(name, scratch.path()))
    }

    /// Sets an environment variable.
    pub(crate) fn with_env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes the variables that the cargo around this test has set, as if a user ran the installed command.
    pub(crate) fn in_shell(mut self) -> Self {
        for name in variables_of_cargo() {
            self.command.env_remove(name);
        }
        self
    }

    /// Appends arguments.
    pub(crate) fn with_arguments(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Starts the command with pipes for its output. Its files exist as long as the returned directory.
    pub(crate) fn spawn_with_pipes(mut self) -> (Child, Rc<TempDir>) {
        let command = self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        (command.spawn().unwrap(), self.scratch)
    }

    /// Runs the command and returns its output unredacted.
    pub(crate) fn output(mut self) -> Output {
        self.command.output().unwrap()
    }

    /// Starts the command.
    pub(crate) fn start(self) -> Running {
        self.start_with(Stdio::null())
    }

    /// Starts the command with this standard output.
    pub(crate) fn start_with(mut self, stdout: impl Into<Stdio>) -> Running {
        let command = self.command.stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Running { child, lines, scratch: self.scratch }
    }

    /// Runs the command and returns its redacted output.
    pub(crate) fn redacted(mut self) -> RedactedOutput {
        let output = self.command.output().unwrap();
        let redact = |bytes| redact(&String::from_utf8(bytes).unwrap(), self.scratch.path());
        RedactedOutput {
            status: output.status.code().unwrap(),
            stdout: redact(output.stdout),
            stderr: redact(output.stderr),
        }
    }
}

/// A running `cargo hype` command. Dropping it kills the process.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    scratch: Rc<TempDir>,
}

impl Running {
    /// Waits until the command writes a line with `text` to standard error.
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.find(text);
    }

    /// Waits until the command writes a line with `text` to standard error, and returns the line.
    pub(crate) fn find(&mut self, text: &str) -> String {
        let mut lines = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if line.contains(text) {
                return line;
            }
            lines.push(line);
        }
        panic!("the command ended without {text:?}:\n{}", lines.join("\n"));
    }

    /// Returns the number of runs in the stage.
    pub(crate) fn runs(&self) -> usize {
        std::fs::read_dir(self.scratch.path().join("stage/runs")).map_or(0, Iterator::count)
    }

    /// Sends SIGINT, as Ctrl-C does.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// Kills the command, and waits for its end.
    #[cfg(unix)]
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end of the command and returns its exit status.
    pub(crate) fn status(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if the command has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl RedactedOutput {
    /// Replaces the ages of runs, which are a few seconds.
    pub(crate) fn without_ages(mut self) -> Self {
        for seconds in (0..60).rev() {
            let json = format!("\"age_seconds\":{seconds},");
            self.stdout = self.stdout.replace(&json, "\"age_seconds\":[AGE],");
            self.stdout = self.stdout.replace(&format!(" {seconds}s "), " [AGE] ");
            self.stdout = self.stdout.replace(&format!(" {seconds}s\n"), " [AGE]\n");
        }
        self
    }

    /// Removes the progress lines of hype.
    pub(crate) fn without_progress(mut self) -> Self {
        let is_result = |line: &&str| !line.starts_with("hype: ");
        let lines: Vec<_> = self.stderr.split_inclusive('\n').filter(is_result).collect();
        self.stderr = lines.concat();
        self
    }
}

impl fmt::Display for RedactedOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "status {}", self.status)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "--- {name}\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

/// Returns the root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Returns the workspace's target directory.
pub(crate) fn target_directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().canonicalize().unwrap()
}
