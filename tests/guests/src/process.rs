//! Commands, valid and invalid.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use hype::process::{Command, Stdio};
use serde::{Deserialize, Serialize};

use crate::ends::spin_inside;

/// A command and its inputs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CommandSpec {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Additional variables.
    pub variables: BTreeMap<String, String>,
    /// A variable of the closure that the command doesn't get.
    pub removed: Option<String>,
    /// Whether the command gets none of the closure's variables.
    pub clear: bool,
    /// Its working directory.
    pub directory: Option<String>,
    /// The standard input.
    pub input: Option<String>,
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResult {
    /// The exit code, if the command ended by itself.
    pub code: Option<i32>,
    /// The signal that killed the command, if any.
    pub signal: Option<i32>,
    /// The standard output.
    pub out: String,
    /// The standard error.
    pub err: String,
}

fn command(spec: &CommandSpec) -> Command {
    let mut command = Command::new(&spec.program);
    command.args(&spec.arguments);
    if spec.clear {
        command.env_clear();
    }
    command.envs(&spec.variables);
    if let Some(name) = &spec.removed {
        command.env_remove(name);
    }
    if let Some(directory) = &spec.directory {
        command.current_dir(directory);
    }
    command
}

/// Writes a file for a command, and then changes and removes the directory `/tmp/private` that the command has created. Returns
/// the content of its file `answer`.
#[hype::function]
pub fn exchange_files(spec: CommandSpec) -> io::Result<String> {
    fs::write("/tmp/question", "closure")?;
    let output = command(&spec).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let answer = fs::read_to_string("/tmp/private/answer")?;
    fs::write("/tmp/private/answer", "changed")?;
    fs::write("/tmp/private/more", "")?;
    fs::remove_dir_all("/tmp/private")?;
    match fs::read_dir("/tmp")?.count() {
        0 => Ok(answer),
        left => Err(io::Error::other(format!("{left} entries are left"))),
    }
}

/// Runs a command to its end.
#[hype::function]
pub fn perform(spec: CommandSpec) -> io::Result<CommandResult> {
    let output = match &spec.input {
        None => command(&spec).output()?,
        Some(input) => {
            let mut command = command(&spec);
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            if let Some(stdin) = &mut child.stdin {
                stdin.write_all(input.as_bytes())?;
            }
            child.wait_with_output()?
        }
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok(CommandResult {
        code: output.status.code(),
        signal: output.status.signal(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    })
}

/// Runs a command that inherits the closure's output streams. Returns its status as text.
#[hype::function]
pub fn perform_aloud(spec: CommandSpec) -> io::Result<String> {
    write!(io::stdout(), "before, ")?;
    let status = command(&spec).status()?;
    writeln!(io::stdout(), "and after")?;
    Ok(status.to_string())
}

/// Starts commands and returns without waiting for them.
#[hype::function]
pub fn leave(specs: Vec<CommandSpec>) -> io::Result<()> {
    specs.iter().try_for_each(|spec| command(spec).stdout(Stdio::null()).spawn().map(drop))
}

/// Starts a command, prints a line once the command has written a byte, and waits forever.
#[hype::function]
pub fn start_and_wait(spec: CommandSpec) -> io::Result<()> {
    let mut child = command(&spec).stdout(Stdio::piped()).spawn()?;
    if let Some(stdout) = &mut child.stdout {
        stdout.read_exact(&mut [0])?;
    }
    writeln!(io::stdout(), "started")?;
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Starts a command, prints a line once the command has written a byte, and computes forever.
#[hype::function]
pub fn start_and_spin(spec: CommandSpec) -> io::Result<u64> {
    let mut child = command(&spec).stdout(Stdio::piped()).spawn()?;
    if let Some(stdout) = &mut child.stdout {
        stdout.read_exact(&mut [0])?;
    }
    writeln!(io::stdout(), "started")?;
    Ok(spin_inside())
}

/// Starts a command and kills it. Returns its exit code, which is `None`, and the signal.
#[hype::function]
pub fn kill(spec: CommandSpec) -> io::Result<(Option<i32>, Option<i32>)> {
    let mut child = command(&spec).spawn()?;
    let before = child.try_wait()?;
    child.kill()?;
    let status = child.wait()?;
    // A second time does nothing.
    child.kill()?;
    Ok((before.map_or(status.code(), |_| Some(-1)), status.signal()))
}

/// Streams the output of a command. Returns the number of bytes.
#[hype::function]
pub fn count_output(spec: CommandSpec) -> io::Result<u64> {
    let mut child = command(&spec).stdout(Stdio::piped()).spawn()?;
    let count = match &mut child.stdout {
        Some(stdout) => io::copy(stdout, &mut io::sink())?,
        None => 0,
    };
    child.wait()?;
    Ok(count)
}

/// Writes `bytes` bytes to a command. Returns its output.
#[hype::function]
pub fn feed(spec: CommandSpec, bytes: u64) -> io::Result<String> {
    let mut command = command(&spec);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(stdin) = &mut child.stdin {
        io::copy(&mut io::repeat(b'a').take(bytes), stdin)?;
    }
    Ok(String::from_utf8_lossy(&child.wait_with_output()?.stdout).into_owned())
}

/// Starts `count` commands concurrently.
#[hype::function]
pub fn start_many(spec: CommandSpec, count: u32) -> io::Result<()> {
    let mut children = Vec::new();
    for _ in 0..count {
        children.push(command(&spec).spawn()?);
    }
    Ok(())
}

/// Runs a command `rounds` times. Returns the duration of each run.
#[hype::function]
pub fn time_commands(spec: CommandSpec, rounds: u32) -> io::Result<Vec<Duration>> {
    let once = |_| {
        let start = Instant::now();
        command(&spec).output().map(|_| start.elapsed())
    };
    (0..rounds).map(once).collect()
}
