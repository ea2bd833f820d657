//! Commands, good and bad.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use hype::process::{Command, Stdio};
use serde::{Deserialize, Serialize};

/// A command and what it is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Order {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables of its own.
    pub variables: BTreeMap<String, String>,
    /// A variable of the closure's that it doesn't see.
    pub removed: Option<String>,
    /// Whether it sees none of them.
    pub clear: bool,
    /// Its working directory.
    pub directory: Option<String>,
    /// What it reads.
    pub input: Option<String>,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Its code, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// What it wrote to its standard output.
    pub out: String,
    /// What it wrote to its standard error.
    pub err: String,
}

fn command(order: &Order) -> Command {
    let mut command = Command::new(&order.program);
    command.args(&order.arguments);
    if order.clear {
        command.env_clear();
    }
    command.envs(&order.variables);
    if let Some(name) = &order.removed {
        command.env_remove(name);
    }
    if let Some(directory) = &order.directory {
        command.current_dir(directory);
    }
    command
}

/// Runs a command to its end.
#[hype::function]
pub fn perform(order: Order) -> io::Result<Done> {
    let output = match &order.input {
        None => command(&order).output()?,
        Some(input) => {
            let mut command = command(&order);
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
    Ok(Done {
        code: output.status.code(),
        signal: output.status.signal(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    })
}

/// Runs a command whose outputs are the closure's, and gives its status as text.
#[hype::function]
pub fn perform_aloud(order: Order) -> io::Result<String> {
    write!(io::stdout(), "before, ")?;
    let status = command(&order).status()?;
    writeln!(io::stdout(), "and after")?;
    Ok(status.to_string())
}

/// Starts commands and doesn't wait for them.
#[hype::function]
pub fn leave(orders: Vec<Order>) -> io::Result<()> {
    orders.iter().try_for_each(|order| command(order).stdout(Stdio::null()).spawn().map(drop))
}

/// Starts a command, writes a line once it has written one, and waits for ever.
#[hype::function]
pub fn start_and_wait(order: Order) -> io::Result<()> {
    let mut child = command(&order).stdout(Stdio::piped()).spawn()?;
    if let Some(stdout) = &mut child.stdout {
        stdout.read_exact(&mut [0])?;
    }
    writeln!(io::stdout(), "started")?;
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Starts a command that goes on, ends it, and gives the signal by which it did. Its code is none.
#[hype::function]
pub fn kill(order: Order) -> io::Result<(Option<i32>, Option<i32>)> {
    let mut child = command(&order).spawn()?;
    let before = child.try_wait()?;
    child.kill()?;
    let status = child.wait()?;
    // A second time does nothing.
    child.kill()?;
    Ok((before.map_or(status.code(), |_| Some(-1)), status.signal()))
}

/// Reads what a command writes, piece by piece, and gives how many bytes that was.
#[hype::function]
pub fn count_output(order: Order) -> io::Result<u64> {
    let mut child = command(&order).stdout(Stdio::piped()).spawn()?;
    let count = match &mut child.stdout {
        Some(stdout) => io::copy(stdout, &mut io::sink())?,
        None => 0,
    };
    child.wait()?;
    Ok(count)
}

/// Writes so many bytes to a command, and gives what it says to that.
#[hype::function]
pub fn feed(order: Order, bytes: u64) -> io::Result<String> {
    let mut command = command(&order);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(stdin) = &mut child.stdin {
        io::copy(&mut io::repeat(b'a').take(bytes), stdin)?;
    }
    Ok(String::from_utf8_lossy(&child.wait_with_output()?.stdout).into_owned())
}

/// Starts so many commands at once, and gives what the last of them came to.
#[hype::function]
pub fn start_many(order: Order, count: u32) -> io::Result<()> {
    let mut children = Vec::new();
    for _ in 0..count {
        children.push(command(&order).spawn()?);
    }
    Ok(())
}

/// Runs a command so often, and gives the time that each took.
#[hype::function]
pub fn time_commands(order: Order, rounds: u32) -> io::Result<Vec<Duration>> {
    let once = |_| {
        let start = Instant::now();
        command(&order).output().map(|_| start.elapsed())
    };
    (0..rounds).map(once).collect()
}
