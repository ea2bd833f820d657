//! Failures of runs that another process started.

use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::StreamExt;

use super::daemon::{ConnectedDaemon, none_if_missing, request_error};
use super::end::{EndedContainer, exit};
use super::leftovers::containers_of_run;
use crate::error::{Error, Result};
use crate::runner::ProcessEnd;

/// The number of output lines in the error of a container that wrote no outcome.
const LAST_LINES: usize = 5;

/// The time to wait for these lines.
const LOG_TAIL_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the reason why the run wrote no outcome, from the state of its last container; `None` if that is unknown.
pub(super) async fn failure(daemon: &ConnectedDaemon, run_id: &str) -> Result<Option<Error>> {
    let docker = &daemon.docker;
    let Some(ContainerSummary { id: Some(id), .. }) = last_container(daemon, run_id).await? else {
        return Ok(None);
    };
    let inspected =
        none_if_missing(daemon.retry.run_read(|| docker.inspect_container(&id, None)).await);
    let inspected =
        inspected.map_err(|error| request_error(format!("cannot inspect container {id}"), error));
    let Some(container) = inspected? else { return Ok(None) };
    let state = container.state.unwrap_or_default();
    if state.running == Some(true) {
        return Ok(None);
    }
    let limit = container.host_config.and_then(|host| host.memory).filter(|limit| *limit > 0);
    let memory = limit.map(|limit| format!("{} MiB", limit >> 20));
    let image = container.config.and_then(|config| config.image).unwrap_or_default();
    let ended = EndedContainer {
        run_id,
        container: container.name.as_deref().unwrap_or(&id).trim_start_matches('/'),
        image: &image,
        daemon: &daemon.address,
        memory: memory.as_deref(),
        last_lines: last_lines(docker, &id).await,
    };
    Ok(ended.judge(ProcessEnd::Exited(exit(&state))).err())
}

/// Returns the last lines of a container's output.
async fn last_lines(docker: &Docker, id: &str) -> Vec<String> {
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true);
    let mut output = docker.logs(id, Some(options.tail(&LAST_LINES.to_string()).build()));
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(Ok(chunk)) = output.next().await {
            bytes.extend_from_slice(&chunk.into_bytes());
        }
    };
    // The lines only explain the error, so a failure to read them is ignored.
    let _ = tokio::time::timeout(LOG_TAIL_TIMEOUT, reading).await;
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}

/// Returns the run's most recent container.
async fn last_container(
    daemon: &ConnectedDaemon,
    run_id: &str,
) -> Result<Option<ContainerSummary>> {
    let containers = containers_of_run(daemon, run_id).await?;
    Ok(containers.into_iter().max_by_key(|container| container.created))
}
