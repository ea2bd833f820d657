//! Copies the output of a container that another process started: each byte once, also across interruptions.

use bollard::Docker;
use bollard::errors::Error as DockerError;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::LogsOptionsBuilder;
use futures::StreamExt;

use super::daemon::ConnectedDaemon;
use super::leftovers::containers_of_run;
use super::output::stream_and_bytes;
use crate::error::Result;
use crate::run::log::{Log, LogStream};
use crate::run::poll_pause::PollPause;
use crate::runner::{LogMode, ProcessInfo};

/// A log that counts what it received of each stream, and marks the log as truncated when it is dropped.
struct CountingLog<'a> {
    log: &'a Log,
    bytes: [usize; 2],
    lines: [usize; 2],
}

impl CountingLog<'_> {
    fn write(&mut self, stream: LogStream, bytes: &[u8]) {
        self.bytes[stream as usize] += bytes.len();
        self.lines[stream as usize] += bytes.iter().filter(|byte| **byte == b'\n').count();
        self.log.write(stream, bytes);
    }
}

impl Drop for CountingLog<'_> {
    fn drop(&mut self) {
        let [stdout, stderr] = self.lines;
        self.log.mark_truncated(stdout, stderr);
    }
}

/// Copies the output of a container of the run to `log`: what exists, or all until its end.
pub(super) async fn copy_log(
    daemon: &ConnectedDaemon,
    run_id: &str,
    attempt: u32,
    log: &Log,
    mode: LogMode,
) {
    let follows = mode == LogMode::Follow;
    let mut log = CountingLog { log, bytes: [0, 0], lines: [0, 0] };
    let (mut is_last_try, mut pause) = (!follows, PollPause::default());
    loop {
        match container_of(daemon, run_id, attempt).await {
            Ok(Some(ContainerSummary { id: Some(id), state, .. })) => {
                is_last_try |= state != Some(ContainerSummaryStateEnum::RUNNING);
                let copied = copy_from(&daemon.docker, &id, follows, &mut log).await;
                // The outcome has the lines that are missing at the end.
                if copied.is_ok() || is_last_try {
                    return;
                }
            }
            Err(_) if follows => {}
            _ => return,
        }
        pause.wait().await;
    }
}

/// Copies the output of a container to `log`, except for the bytes that `log` has received before.
async fn copy_from(
    docker: &Docker,
    id: &str,
    follows: bool,
    log: &mut CountingLog<'_>,
) -> std::result::Result<(), DockerError> {
    let options = LogsOptionsBuilder::default().follow(follows).stdout(true).stderr(true).build();
    let mut output = docker.logs(id, Some(options));
    let mut skipped = log.bytes;
    while let Some(chunk) = output.next().await {
        if let Some((stream, bytes)) = stream_and_bytes(&chunk?) {
            let skip = &mut skipped[stream as usize];
            let known = bytes.len().min(*skip);
            *skip -= known;
            log.write(stream, &bytes[known..]);
        }
    }
    Ok(())
}

/// Returns the container of an attempt.
async fn container_of(
    daemon: &ConnectedDaemon,
    run_id: &str,
    attempt: u32,
) -> Result<Option<ContainerSummary>> {
    let containers = containers_of_run(daemon, run_id).await?;
    let is_of_attempt = |container: &ContainerSummary| {
        let mut names = container.names.iter().flatten();
        names.any(|name| ProcessInfo::attempt_of(name) == attempt)
    };
    Ok(containers.into_iter().find(is_of_attempt))
}
