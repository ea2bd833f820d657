//! Measures the duration of processes, and the memory of this one.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// Returns the time of `command` from its start to its end.
pub(crate) fn time_to_exit(command: &mut Command) -> anyhow::Result<Duration> {
    command.stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    let took = started.elapsed();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(took)
}

/// Returns the time of `command` from its start to the first byte on its standard output.
pub(crate) fn time_to_first_byte(command: &mut Command) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    let mut stdout = child.stdout.take().context("the output is not piped")?;
    let mut first = [0];
    let read = stdout.read(&mut first)?;
    let took = started.elapsed();
    std::io::copy(&mut stdout, &mut std::io::sink())?;
    let status = child.wait()?;
    ensure!(status.success() && read == 1, "{command:?} ended with {status}");
    Ok(took)
}

/// Returns the resident memory of this process, in bytes: `VmHWM` is the peak, `VmRSS` the current size.
pub(crate) fn memory(field: &str) -> anyhow::Result<u64> {
    memory_of(std::process::id(), field)
}

/// Returns the resident memory of a process, in bytes, as [`memory`] does.
pub(crate) fn memory_of(process: u32, field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))
        .with_context(|| format!("there is no process {process} of Linux"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: u64 = number.with_context(|| format!("{field} is missing"))?.parse()?;
    Ok(kibibytes << 10)
}

/// Returns the worker processes of this program. They are no children of it.
pub(crate) fn workers() -> anyhow::Result<Vec<u32>> {
    let program = std::env::current_exe()?;
    let mut workers = Vec::new();
    for entry in std::fs::read_dir("/proc").context("Linux is needed")? {
        let path = entry?.path();
        let process = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        let is_worker = || {
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            line.starts_with(b"hype-worker")
                && std::fs::read_link(path.join("exe")).is_ok_and(|exe| exe == program)
        };
        workers.extend(process.filter(|_| is_worker()));
    }
    Ok(workers)
}
