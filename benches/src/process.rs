//! Processes as they are seen from outside: how long they take, and the memory of this one.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// How long `command` takes from its start to its end.
pub(crate) fn to_the_end(command: &mut Command) -> anyhow::Result<Duration> {
    command.stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    let took = started.elapsed();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(took)
}

/// How long `command` takes from its start to the first byte that it writes.
pub(crate) fn to_the_first_byte(command: &mut Command) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    let mut stdout = child.stdout.take().context("a pipe was asked for")?;
    let mut first = [0];
    let read = stdout.read(&mut first)?;
    let took = started.elapsed();
    std::io::copy(&mut stdout, &mut std::io::sink())?;
    let status = child.wait()?;
    ensure!(status.success() && read == 1, "{command:?} ended with {status}");
    Ok(took)
}

/// Memory of this process, in bytes: `VmHWM` is the most that was resident, `VmRSS` what is now.
pub(crate) fn memory(field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("Linux is needed")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: u64 = kibibytes.with_context(|| format!("{field} isn't told"))?.parse()?;
    Ok(kibibytes << 10)
}
