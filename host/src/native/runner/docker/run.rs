//! Runs a container from its creation to its end.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as DockerError;
use bollard::models::{ContainerCreateBody, ContainerState, ContainerStateStatusEnum};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, StartContainerOptions,
    WaitContainerOptionsBuilder,
};
use futures::{FutureExt, Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::daemon::{ConnectedDaemon, none_if_missing, request_error, status};
use super::end::exit;
use super::output::stream_and_bytes;
use super::removal::{has_labels, remove_container, remove_labelled};
use crate::error::{Error, Result};
use crate::progress::STEP;
use crate::run::log::Log;
use crate::runner::create_resource::create_resource;
use crate::runner::{Process, ProcessEnd, ProcessExit};

/// The time to wait for the remaining output after the container has ended.
const LOG_DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The time to wait for the end of a container whose output stream has ended.
const EXIT_TIMEOUT: Duration = Duration::from_secs(3);

/// The output of an attached container.
pub(super) type OutputStream =
    Pin<Box<dyn Stream<Item = std::result::Result<LogOutput, DockerError>> + Send>>;

/// Creates and starts the container `name`, waits for its end and returns it.
pub(crate) async fn run(
    daemon: &ConnectedDaemon,
    process: &Process,
    name: &str,
    body: ContainerCreateBody,
    reconnect_timeout: Duration,
) -> Result<ProcessEnd> {
    let Started { created, streams } = begin(daemon, process, name, body).await?;
    process.handover.done();
    let end = wait_for_end(daemon, name, streams.output, &process.log, reconnect_timeout).await;
    if matches!(end, ProcessEnd::Exited(_)) {
        created.mark_ended();
    }
    Ok(end)
}

/// A container that has started.
pub(super) struct Started {
    pub(super) created: Created,
    /// Its standard streams.
    pub(super) streams: AttachContainerResults,
}

/// Creates and starts the container `name`, attached to its standard streams, and passes it the run's key.
pub(super) async fn begin(
    daemon: &ConnectedDaemon,
    process: &Process,
    name: &str,
    body: ContainerCreateBody,
) -> Result<Started> {
    let image = body.image.clone().unwrap_or_default();
    let created = create(daemon, process, name, body).await?;
    tracing::info!(target: STEP, "created container {name}");
    // Attached before the start, so that no output is missed.
    let mut streams = attach(daemon, name)
        .await
        .map_err(|error| request_error(format!("cannot attach to container {name}"), error))?;
    write_key(process, &mut streams.input)
        .await
        .map_err(|error| Error::runner(format!("cannot write to container {name}"), error))?;
    start(daemon, name).await.map_err(|error| start_error(&image, name, error))?;
    Ok(Started { created, streams })
}

/// A container whose removal is registered with a cleanup list.
#[derive(Debug)]
pub(super) struct Created {
    has_ended: Arc<AtomicBool>,
    id: Arc<OnceLock<String>>,
}

impl Created {
    /// Records that the container has ended, so that other removals needn't wait for its own.
    pub(super) fn mark_ended(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Removes the container, running or not.
    pub(super) async fn remove(&self, daemon: &ConnectedDaemon) -> Result<()> {
        match self.id.get() {
            Some(id) => remove_container(daemon, id).await,
            None => Ok(()),
        }
    }
}

/// Creates the container `name` and registers its removal with the process's cleanup list.
///
/// Later removals of the list wait for this one, since the container may use their resources. Once the container is marked
/// as ended, its removal runs in the background.
pub(super) async fn create(
    daemon: &ConnectedDaemon,
    process: &Process,
    name: &str,
    body: ContainerCreateBody,
) -> Result<Created> {
    let has_ended = Arc::new(AtomicBool::new(false));
    let created_id: Arc<OnceLock<String>> = Arc::default();
    let created = Created { has_ended: Arc::clone(&has_ended), id: Arc::clone(&created_id) };
    let (ended, beside) = (has_ended, process.cleanup.background_cleanup());
    let removal = {
        let (daemon, name, id) = (daemon.clone(), name.to_owned(), Arc::clone(&created_id));
        let labels = body.labels.clone().unwrap_or_default();
        async move {
            match id.get() {
                Some(id) => remove_container(&daemon, id).await,
                // The response was lost, so the container may exist.
                None => remove_labelled(&daemon, &name, &labels).await,
            }
        }
    };
    let what = format!("container {name}");
    let label = what.clone();
    let removal = async move {
        if !ended.load(Ordering::Relaxed) {
            return removal.await;
        }
        beside.remove(what, Box::pin(removal));
        Ok(())
    };
    let (daemon, name_owned) = (daemon.clone(), name.to_owned());
    let request = async move {
        let create_or_adopt = || create_or_adopt(&daemon.docker, &name_owned, &body);
        let (id, warnings) = daemon.retry.run(create_or_adopt).await?;
        // Only this request sets it.
        let _ = created_id.set(id);
        Ok::<_, DockerError>(warnings)
    };
    let removal = (&process.cleanup, label, removal.boxed());
    let response = create_resource(request.boxed(), Some(removal)).await?;
    let warnings = response.map_err(|error| {
        let is_source = misses_bind_source(&error);
        let error = request_error(format!("cannot create container {name}"), error);
        if is_source {
            error.hint(
                "the socket may lead to a daemon on another machine, which lacks the files of this one",
            )
        } else {
            error
        }
    })?;
    warnings.iter().for_each(|warning| tracing::warn!("container {name}: {warning}"));
    Ok(created)
}

/// Creates the container `name` and returns its ID and the daemon's warnings. Adopts an existing container with our
/// labels, which name this process and the manifest: an earlier request created it, and its response was lost.
async fn create_or_adopt(
    docker: &Docker,
    name: &str,
    body: &ContainerCreateBody,
) -> std::result::Result<(String, Vec<String>), DockerError> {
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    let conflict = match docker.create_container(Some(options), body.clone()).await {
        Err(error) if status(&error) == Some(409) => error,
        created => return created.map(|created| (created.id, created.warnings)),
    };
    match none_if_missing(docker.inspect_container(name, None).await)? {
        Some(existing) => {
            let labels = body.labels.as_ref();
            let is_ours = labels.is_some_and(|labels| has_labels(&existing, labels));
            let id = existing.id.filter(|_| is_ours);
            id.map(|id| (id, Vec::new())).ok_or(conflict)
        }
        // The first request is still creating it.
        None => Err(DockerError::RequestTimeoutError),
    }
}

/// Attaches to the standard streams of a container.
async fn attach(
    daemon: &ConnectedDaemon,
    name: &str,
) -> std::result::Result<AttachContainerResults, DockerError> {
    let options = AttachContainerOptionsBuilder::default();
    let options = options.stream(true).stdin(true).stdout(true).stderr(true).build();
    let attach = || daemon.docker.attach_container(name, Some(options.clone()));
    daemon.retry.run(attach).await
}

/// Starts the container `name` exactly once. After a lost response, the container may have been started and have ended:
/// a second start would run nothing.
async fn start(daemon: &ConnectedDaemon, name: &str) -> std::result::Result<(), DockerError> {
    let (docker, was_requested) = (&daemon.docker, AtomicBool::new(false));
    let start = async || {
        if was_requested.swap(true, Ordering::Relaxed) {
            let state = docker.inspect_container(name, None).await?.state.unwrap_or_default();
            if state.status != Some(ContainerStateStatusEnum::CREATED) {
                return Ok(());
            }
        }
        docker.start_container(name, None::<StartContainerOptions>).await
    };
    daemon.retry.run(start).await
}

/// Writes the run's key, which `hype-run` reads first.
async fn write_key(
    process: &Process,
    input: &mut Pin<Box<dyn AsyncWrite + Send>>,
) -> std::io::Result<()> {
    input.write_all(format!("{}\n", process.key.reveal()).as_bytes()).await?;
    input.flush().await
}

fn start_error(image: &str, name: &str, error: DockerError) -> Error {
    if status(&error).is_some() && misses_executable(&error) {
        return request_error(
            format!("the image {image} has no hype-run that can be started"),
            error,
        )
        .hint("install hype-run in it and end its Dockerfile with ENTRYPOINT [\"hype-run\"]");
    }
    request_error(format!("cannot start container {name}"), error)
}

/// Returns whether the creation failed since a bind-mounted directory is missing. The daemon has no specific status, so
/// this matches its text.
fn misses_bind_source(error: &DockerError) -> bool {
    error.to_string().contains("bind source path does not exist")
}

/// Returns whether the start failed since the image lacks the entrypoint. The daemon forwards the text of runc, crun or
/// a shim, so this matches their text.
fn misses_executable(error: &DockerError) -> bool {
    let message = error.to_string();
    let reasons = ["executable file not found", "no such file or directory", "permission denied"];
    message.contains("exec") && reasons.iter().any(|reason| message.contains(reason))
}

/// Returns the end of a container whose output stream has ended. If the container goes on, it is unusable.
pub(super) async fn end_without_output(
    daemon: &ConnectedDaemon,
    name: &str,
    reconnect_timeout: Duration,
) -> ProcessEnd {
    let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
    let mut waiting = Box::pin(daemon.docker.wait_container(name, Some(options)));
    // The state shows the end, too.
    let _ = tokio::time::timeout(EXIT_TIMEOUT, waiting.next()).await;
    match inspect_state(daemon, name).await {
        Err(_) => ProcessEnd::Unreachable(reconnect_timeout),
        Ok(None) => ProcessEnd::Deleted,
        Ok(Some(state)) if is_being_removed(&state) => ProcessEnd::Deleted,
        Ok(Some(state)) if is_running(&state) => {
            ProcessEnd::Failed("is running, but its connection broke".to_owned())
        }
        Ok(Some(state)) => ProcessEnd::Exited(exit(&state)),
    }
}

/// Copies the output to the log until the container has ended, also across restarts of the daemon.
async fn wait_for_end(
    daemon: &ConnectedDaemon,
    name: &str,
    mut output: OutputStream,
    log: &Log,
    reconnect_timeout: Duration,
) -> ProcessEnd {
    let docker = &daemon.docker;
    let mut was_unreachable = false;
    loop {
        match follow_output(docker, name, output, log).await {
            Ok(0) => return ProcessEnd::Exited(ProcessExit::of_status(0)),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    "lost the connection to the Docker daemon, retrying for {reconnect_timeout:?}: {error}"
                );
                was_unreachable = true;
            }
        }
        let Ok(state) = inspect_state(daemon, name).await else {
            return ProcessEnd::Unreachable(reconnect_timeout);
        };
        match state {
            None => return ProcessEnd::Deleted,
            Some(state) if is_running(&state) => {}
            Some(state) if is_being_removed(&state) => return ProcessEnd::Deleted,
            Some(state) if was_unreachable => {
                let mut exit = exit(&state);
                exit.stopped_by = Some(format!(
                    "the Docker daemon at {} stopped while container {name} ran, and ended it with status {}",
                    daemon.address, exit.status
                ));
                return ProcessEnd::Exited(exit);
            }
            Some(state) => return ProcessEnd::Exited(exit(&state)),
        }
        tracing::warn!(
            "container {name} is still running; its output during the outage is not shown"
        );
        output = match attach(daemon, name).await {
            Ok(attached) => attached.output,
            Err(_) => Box::pin(futures::stream::empty()),
        };
    }
}

/// Copies the output until the process has ended, and returns its exit status.
async fn follow_output(
    docker: &Docker,
    name: &str,
    output: OutputStream,
    log: &Log,
) -> std::result::Result<i64, DockerError> {
    let mut writing = Box::pin(write(output, log));
    let mut is_written = false;
    // The request returns at once for a container that has already ended, so no end is missed.
    let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
    let mut waiting = Box::pin(docker.wait_container(name, Some(options)));
    let ended = loop {
        tokio::select! {
            () = &mut writing, if !is_written => is_written = true,
            ended = waiting.next() => break ended,
        }
    };
    let status = match ended {
        Some(Ok(ended)) => ended.status_code,
        Some(Err(DockerError::DockerContainerWaitError { code, .. })) => code,
        Some(Err(error)) => return Err(error),
        None => return Err(DockerError::RequestTimeoutError),
    };
    if !is_written && tokio::time::timeout(LOG_DRAIN_TIMEOUT, writing).await.is_err() {
        tracing::warn!("container {name} has ended, but its output stream has not");
    }
    Ok(status)
}

async fn write(mut output: OutputStream, log: &Log) {
    // The caller detects the outage that interrupts the stream.
    while let Some(Ok(chunk)) = output.next().await {
        if let Some((stream, bytes)) = stream_and_bytes(&chunk) {
            log.write(stream, bytes);
        }
    }
}

/// Returns the container's state; `None` if it no longer exists.
async fn inspect_state(
    daemon: &ConnectedDaemon,
    name: &str,
) -> std::result::Result<Option<ContainerState>, DockerError> {
    let inspected = daemon.retry.run_read(|| daemon.docker.inspect_container(name, None)).await;
    Ok(none_if_missing(inspected)?.map(|container| container.state.unwrap_or_default()))
}

fn is_running(state: &ContainerState) -> bool {
    state.running == Some(true) && !is_being_removed(state)
}

fn is_being_removed(state: &ContainerState) -> bool {
    use ContainerStateStatusEnum::{DEAD, REMOVING};
    state.dead == Some(true) || matches!(state.status, Some(DEAD | REMOVING))
}
