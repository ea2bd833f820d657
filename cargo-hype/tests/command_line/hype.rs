//! `cargo hype` as a person runs it, and what that person sees.
//!
//! It runs in the workspace or in a package that a test writes, with the environment of the test
//! but for what would change the output. What differs from run to run or from machine to machine is
//! blurred in one place, [`blurred`](crate::blurred).

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::rc::Rc;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::blurred::blurred;
use crate::package::{self, Package};

/// One `cargo hype ..`, yet to be run.
pub(crate) struct Hype {
    command: Command,
    /// Holds the stage, of this command alone.
    scratch: Rc<TempDir>,
}

/// What came of it, blurred.
pub(crate) struct Seen {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Has Rust's target added where it is missing, which no test wants to see.
static TARGET: LazyLock<()> = LazyLock::new(|| {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-hype"));
    let built = command.args(["build", "-p", "hello"]).current_dir(workspace()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
});

/// `cargo hype` with these arguments, at the root of the workspace.
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
        // This user's own volumes are none of a test's.
        .env("XDG_DATA_HOME", scratch.path().join("data"))
        // What was compiled for the machine is kept, which changes nothing but the time it takes.
        .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    Hype { command, scratch }
}

/// cargo as a user's shell has it: without what the cargo around this test has set.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    for name in variables_of_cargo() {
        command.env_remove(name);
    }
    command
}

/// The variables that tell a test which package it is of.
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
    /// The same in `directory`.
    pub(crate) fn in_directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Its stage.
    pub(crate) fn stage(&self) -> PathBuf {
        self.scratch.path().join("stage")
    }

    /// The directory that holds its stage, which goes when this and the command are gone.
    pub(crate) fn scratch(&self) -> Rc<TempDir> {
        Rc::clone(&self.scratch)
    }

    /// The same in the directory of `package`.
    pub(crate) fn in_package(self, package: &Package) -> Self {
        self.sharing_target().in_directory(package.directory())
    }

    /// The same in the directory of `package`, which has a program.
    pub(crate) fn in_program(self, package: &Package) -> Self {
        self.with_env("CARGO_TARGET_DIR", target_directory()).in_directory(package.directory())
    }

    /// The same with a stage that cannot be written: a file stands where its blobs should.
    pub(crate) fn with_broken_stage(self) -> Self {
        let stage = self.stage();
        std::fs::create_dir(&stage).unwrap();
        std::fs::write(stage.join("blobs"), "").unwrap();
        self
    }

    /// The same with the target directory of all packages that tests write.
    pub(crate) fn sharing_target(self) -> Self {
        self.with_env("CARGO_TARGET_DIR", package::target_directory())
    }

    /// The same with this variable.
    pub(crate) fn with_env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The same as a user calls the installed command: without what the cargo around this test has set.
    pub(crate) fn in_shell(mut self) -> Self {
        for name in variables_of_cargo() {
            self.command.env_remove(name);
        }
        self
    }

    /// Runs it, and gives all that it writes.
    pub(crate) fn output(mut self) -> Output {
        self.command.output().unwrap()
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Running {
        let command = self.command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Running { child, lines, scratch: self.scratch }
    }

    /// Runs it.
    pub(crate) fn seen(mut self) -> Seen {
        let output = self.command.output().unwrap();
        let blur = |bytes| blurred(&String::from_utf8(bytes).unwrap(), self.scratch.path());
        Seen {
            status: output.status.code().unwrap(),
            stdout: blur(output.stdout),
            stderr: blur(output.stderr),
        }
    }
}

/// One `cargo hype ..` that runs. Dropping it ends it.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    scratch: Rc<TempDir>,
}

impl Running {
    /// Waits until it writes a line with `text` to the standard error.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let mut seen = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if line.contains(text) {
                return;
            }
            seen.push(line);
        }
        panic!("it ended without {text:?}:\n{}", seen.join("\n"));
    }

    /// How many runs are in its stage.
    pub(crate) fn runs(&self) -> usize {
        std::fs::read_dir(self.scratch.path().join("stage/runs")).map_or(0, Iterator::count)
    }

    /// Presses Ctrl-C.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// Waits for its end, and gives its exit status.
    pub(crate) fn status(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Seen {
    /// The same without what hype says while it works.
    pub(crate) fn without_progress(mut self) -> Self {
        let is_result = |line: &&str| !line.starts_with("hype: ");
        let lines: Vec<_> = self.stderr.split_inclusive('\n').filter(is_result).collect();
        self.stderr = lines.concat();
        self
    }
}

impl fmt::Display for Seen {
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

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The workspace's target directory.
pub(crate) fn target_directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().canonicalize().unwrap()
}
