//! Closures that run commands, which their environment must grant.

use std::fmt;
use std::io;

use hype::process::Command;
use serde::{Deserialize, Serialize};

/// A simple model for describing the runtime environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Res {
    /// What the command wrote.
    pub cmd_output: String,
    /// The file systems that commands see.
    pub mounts: String,
    /// All environment variables.
    pub vars: Vec<EnvVar>,
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvVar {
    /// What it is called.
    pub name: String,
    /// What it holds.
    pub value: String,
}

/// Runs `cmd`, words with spaces between them, and `df -h`, and lists all environment variables.
#[hype::function]
pub fn extract_env(cmd: String) -> io::Result<Res> {
    let cmd_output = run(&cmd)?;
    let mounts = run("df -h")?;
    let vars = std::env::vars().map(|(name, value)| EnvVar { name, value }).collect();
    Ok(Res { cmd_output, mounts, vars })
}

/// Stores what is at `url` in the file `word` of the directory `mount`.
#[hype::function]
pub fn write(url: String, mount: String) -> io::Result<()> {
    run(&format!("curl -fsSo {mount}/word {url}")).map(drop)
}

/// Reads the file `word` in the directory `mount`.
#[hype::function]
pub fn read(mount: String) -> io::Result<String> {
    run(&format!("cat {mount}/word"))
}

/// What a command writes that does well. One that doesn't is an error, with what it says of that.
fn run(words: &str) -> io::Result<String> {
    let mut words = words.split_whitespace();
    let program = words.next().unwrap_or_default();
    let output = Command::new(program).args(words).output()?;
    let text = |bytes| String::from_utf8_lossy(bytes).trim_end().to_owned();
    // df looks at all that it can and tells of the rest.
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
