//! What the containers of a run that another process began write, and how they ended.

use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::models::ContainerSummary;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::StreamExt;

use super::daemon::{Reached, found, refused};
use super::end::{Ended, exit};
use super::leftovers::of_run;
use crate::error::{Error, Result};
use crate::run::log::{Log, LogStream};
use crate::runner::ProcessEnd;

/// How long to wait before a container that isn't there yet is looked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// How many of its last lines are told of a container that left no outcome.
const SAID: usize = 5;

/// How long they may take.
const LINES: Duration = Duration::from_secs(10);

/// How many lines of each stream were handed on; it is said when no more are.
struct Counted<'a>(&'a Log, [usize; 2]);

impl Counted<'_> {
    fn write(&mut self, stream: LogStream, bytes: &[u8]) {
        self.1[stream as usize] += bytes.iter().filter(|byte| **byte == b'\n').count();
        self.0.write(stream, bytes);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let [stdout, stderr] = self.1;
        self.0.mark_truncated(stdout, stderr);
    }
}

/// Hands on what the last container of the run writes, to its end.
pub(super) async fn follow(reached: &Reached, run_id: &str, log: &Log) {
    let id = loop {
        match last(reached, run_id).await {
            Ok(Some(ContainerSummary { id: Some(id), .. })) => break id,
            _ => tokio::time::sleep(PAUSE).await,
        }
    };
    let mut counted = Counted(log, [0, 0]);
    let options = LogsOptionsBuilder::default().follow(true).stdout(true).stderr(true).build();
    let mut output = reached.docker.logs(&id, Some(options));
    // What breaks off is taken from the outcome.
    while let Some(Ok(chunk)) = output.next().await {
        match chunk {
            LogOutput::StdErr { message } => counted.write(LogStream::Stderr, &message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                counted.write(LogStream::Stdout, &message);
            }
            LogOutput::StdIn { .. } => {}
        }
    }
}

/// Why the run left no outcome, as far as its last container tells.
pub(super) async fn failure(reached: &Reached, run_id: &str) -> Result<Option<Error>> {
    let docker = &reached.docker;
    let Some(ContainerSummary { id: Some(id), .. }) = last(reached, run_id).await? else {
        return Ok(None);
    };
    let inspected = found(reached.patience.read(|| docker.inspect_container(&id, None)).await);
    let inspected =
        inspected.map_err(|error| refused(format!("cannot look at container {id}"), error));
    let Some(container) = inspected? else { return Ok(None) };
    let state = container.state.unwrap_or_default();
    if state.running == Some(true) {
        return Ok(None);
    }
    let limit = container.host_config.and_then(|host| host.memory).filter(|limit| *limit > 0);
    let memory = limit.map(|limit| format!("{} MiB", limit >> 20));
    let image = container.config.and_then(|config| config.image).unwrap_or_default();
    let ended = Ended {
        run_id,
        container: container.name.as_deref().unwrap_or(&id).trim_start_matches('/'),
        image: &image,
        daemon: &reached.address,
        memory: memory.as_deref(),
        last_lines: said(docker, &id).await,
    };
    Ok(ended.judge(ProcessEnd::Exited(exit(&state))).err())
}

/// The last lines of a container.
async fn said(docker: &Docker, id: &str) -> Vec<String> {
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true);
    let mut output = docker.logs(id, Some(options.tail(&SAID.to_string()).build()));
    let mut said = Vec::new();
    let reading = async {
        while let Some(Ok(chunk)) = output.next().await {
            said.extend_from_slice(&chunk.into_bytes());
        }
    };
    // What can't be read tells nothing more.
    let _ = tokio::time::timeout(LINES, reading).await;
    String::from_utf8_lossy(&said).lines().map(str::to_owned).collect()
}

/// The last container of the run.
async fn last(reached: &Reached, run_id: &str) -> Result<Option<ContainerSummary>> {
    let containers = of_run(reached, run_id).await?;
    Ok(containers.into_iter().max_by_key(|container| container.created))
}
