//! A closure's view of variables, files, output and network.

use std::collections::BTreeMap;
use std::io::{self, Write};

/// Returns the environment variables.
#[hype::function]
pub fn variables() -> BTreeMap<String, String> {
    std::env::vars().collect()
}

/// Returns the content of a file.
#[hype::function]
pub fn read(path: String) -> io::Result<String> {
    std::fs::read_to_string(path)
}

/// Returns the content of a file; panics if it can't be read.
#[hype::function]
pub fn read_surely(path: String) -> String {
    std::fs::read_to_string(path).expect("the file")
}

/// Writes a file.
#[hype::function]
pub fn write(path: String, text: String) -> io::Result<()> {
    std::fs::write(path, text)
}

/// Returns the names in a directory, sorted.
#[hype::function]
pub fn list(path: String) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Writes to the standard output and the standard error.
#[hype::function]
pub fn say(out: String, err: String) -> io::Result<()> {
    io::stdout().write_all(out.as_bytes())?;
    io::stderr().write_all(err.as_bytes())
}

/// Prints `text`, waits until a file exists at `path`, and prints "going".
#[hype::function]
pub fn say_then_wait_for(text: String, path: String) -> String {
    writeln!(io::stdout(), "{text}").expect("an output");
    while !std::path::Path::new(&path).exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    writeln!(io::stdout(), "going").expect("an output");
    "gone".to_owned()
}

/// Writes `text` to all `paths`, prints `last`, and waits forever.
#[hype::function]
pub fn write_all_then_wait(paths: Vec<String>, text: String, last: String) -> io::Result<()> {
    for path in paths {
        std::fs::write(path, &text)?;
    }
    writeln!(io::stdout(), "{last}")?;
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}

/// Logs at each level, with the crates `log` and `tracing`.
#[hype::function]
pub fn log_all() {
    log::debug!("by log");
    log::info!("by {}", "log");
    let _span = tracing::info_span!("step", number = 1).entered();
    tracing::debug!("by tracing");
    tracing::warn!(loss = 0.5, "by tracing");
}

/// Connects to an address.
#[hype::function]
pub fn connect(address: String) -> io::Result<()> {
    std::net::TcpStream::connect(address).map(drop)
}
