//! Closures that run commands, which their environment must grant.

use std::fmt;
use std::io;

use hype::process::Command;
use serde::{Deserialize, Serialize};

/// The output of commands and the environment variables of a closure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Res {
    /// The output of the command.
    pub cmd_output: String,
    /// The output of `df -h`: the mounted file systems.
    pub mounts: String,
    /// All environment variables.
    pub vars: Vec<EnvVar>,
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvVar {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// Runs `cmd`, a program and its arguments separated by spaces, and `df -h`, and lists all environment variables.
#[hype::function]
pub fn extract_env(cmd: String) -> io::Result<Res> {
    let cmd_output = run(&cmd)?;
    let mounts = run("df -h")?;
    let vars = std::env::vars().map(|(name, value)| EnvVar { name, value }).collect();
    Ok(Res { cmd_output, mounts, vars })
}

/// Downloads `url` to the file `word` in the directory `mount`.
#[hype::function]
pub fn write(url: String, mount: String) -> io::Result<()> {
    run(&format!("curl -fsSo {mount}/word {url}")).map(drop)
}

/// Reads the file `word` in the directory `mount`.
#[hype::function]
pub fn read(mount: String) -> io::Result<String> {
    run(&format!("cat {mount}/word"))
}

/// Runs a command and returns its standard output. A command that fails is an error with its standard error.
fn run(command: &str) -> io::Result<String> {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or_default();
    let output = Command::new(program).args(words).output()?;
    let text = |bytes| String::from_utf8_lossy(bytes).trim_end().to_owned();
    // df fails if it cannot read one file system, but prints the others.
    if output.status.success() || (program == "df" && !output.stdout.is_empty()) {
        return Ok(text(&output.stdout));
    }
    Err(io::Error::other(format!("{program}: {}: {}", output.status, text(&output.stderr))))
}

impl fmt::Display for EnvVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvVar({},{})", self.name, self.value)
    }
}
