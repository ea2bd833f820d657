//! From an attempt to the end of its container.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as DockerError;
use bollard::models::{ContainerCreateBody, ContainerState, ContainerStateStatusEnum};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions, WaitContainerOptionsBuilder,
};
use futures::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::daemon::{Reached, found, refused, status};
use super::end::{End, Exit};
use crate::error::{Error, Result};
use crate::log::{Log, LogStream};
use crate::progress::STEP;
use crate::runner::Attempt;
use crate::runner::make::make;

/// How often a daemon that went away is looked for.
const PAUSE: Duration = Duration::from_millis(250);

/// How long output is waited for that the daemon still has after the end.
const REST: Duration = Duration::from_secs(10);

type Output = Pin<Box<dyn Stream<Item = std::result::Result<LogOutput, DockerError>> + Send>>;

/// Makes and starts the container `name`, waits for its end and says what that was.
pub(crate) async fn run(
    reached: &Reached,
    attempt: &Attempt,
    (name, body): (&str, ContainerCreateBody),
    patience: Duration,
) -> Result<End> {
    let docker = &reached.docker;
    let image = body.image.clone().unwrap_or_default();
    let has_ended = create(reached, attempt, (name, body)).await?;
    tracing::info!(target: STEP, "created container {name}");
    // Before it starts, so that nothing is missed.
    let AttachContainerResults { output, input } = attach(docker, name)
        .await
        .map_err(|error| refused(format!("cannot attach to container {name}"), error))?;
    hand_over(attempt, input)
        .await
        .map_err(|error| Error::runner(format!("cannot write to container {name}"), error))?;
    docker
        .start_container(name, None::<StartContainerOptions>)
        .await
        .map_err(|error| not_started(&image, name, error))?;
    attempt.handover.done();
    let end = watch((docker, name), output, &attempt.log, patience).await;
    has_ended.store(matches!(end, End::Exited(_)), Ordering::Relaxed);
    Ok(end)
}

/// Makes the container `name`, to be removed with what belongs to the attempt. What else is to be removed waits for
/// the container, which may use it, unless the flag that is given says that it has ended.
pub(crate) async fn create(
    reached: &Reached,
    attempt: &Attempt,
    (name, body): (&str, ContainerCreateBody),
) -> Result<Arc<AtomicBool>> {
    let has_ended = Arc::new(AtomicBool::new(false));
    let (ended, beside) = (Arc::clone(&has_ended), attempt.owned.beside());
    let removal = remove_container(reached.clone(), name.to_owned());
    let what = format!("container {name}");
    let shown = what.clone();
    let removal = async move {
        if !ended.load(Ordering::Relaxed) {
            return removal.await;
        }
        beside.remove(what, Box::pin(removal));
        Ok(())
    };
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    let docker = reached.docker.clone();
    let request = async move { docker.create_container(Some(options), body).await };
    let created = make(request, Some((&attempt.owned, shown, removal))).await?;
    let created = created.map_err(|error| {
        let is_source = misses_bind_source(&error);
        let error = refused(format!("cannot make container {name}"), error);
        if is_source {
            error.hint(
                "a socket may lead to a daemon on another machine, which hasn't this one's files",
            )
        } else {
            error
        }
    })?;
    created.warnings.iter().for_each(|warning| tracing::warn!("container {name}: {warning}"));
    Ok(has_ended)
}

async fn attach(
    docker: &Docker,
    name: &str,
) -> std::result::Result<AttachContainerResults, DockerError> {
    let options = AttachContainerOptionsBuilder::default();
    let options = options.stream(true).stdin(true).stdout(true).stderr(true).build();
    docker.attach_container(name, Some(options)).await
}

/// Hands the run's key over, which `hype-run` reads before all else.
async fn hand_over(
    attempt: &Attempt,
    mut input: Pin<Box<dyn AsyncWrite + Send>>,
) -> std::io::Result<()> {
    input.write_all(format!("{}\n", attempt.key.reveal()).as_bytes()).await?;
    input.flush().await
}

fn not_started(image: &str, name: &str, error: DockerError) -> Error {
    if status(&error).is_some() && misses_executable(&error) {
        return refused(format!("the image {image} has no hype-run that can be started"), error)
            .hint("install hype-run in it and end its Dockerfile with ENTRYPOINT [\"hype-run\"]");
    }
    refused(format!("cannot start container {name}"), error)
}

/// Whether a container isn't created since a directory isn't there. The daemon's status is that of any bad parameter, so
/// that its text decides.
fn misses_bind_source(error: &DockerError) -> bool {
    error.to_string().contains("bind source path does not exist")
}

/// Whether a container doesn't start since its image lacks the entrypoint. The daemon hands on what runc, crun and the
/// shims around them write, so that their text decides.
fn misses_executable(error: &DockerError) -> bool {
    let message = error.to_string();
    let reasons = ["executable file not found", "no such file or directory", "permission denied"];
    message.contains("exec") && reasons.iter().any(|reason| message.contains(reason))
}

/// Hands the output on until the container has ended, over restarts of the daemon too.
async fn watch(
    (docker, name): (&Docker, &str),
    mut output: Output,
    log: &Log,
    patience: Duration,
) -> End {
    let mut went_away = false;
    loop {
        match follow(docker, name, output, log).await {
            Ok(0) => return End::Exited(Exit { status: 0, is_out_of_memory: false }),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    "the Docker daemon hung up, and is waited for {patience:?}: {error}"
                );
                went_away = true;
            }
        }
        let Some(state) = look(docker, name, patience).await else { return End::Away };
        match state {
            None => return End::Removed,
            Some(state) if is_running(&state) => {}
            Some(state) if is_being_removed(&state) => return End::Removed,
            Some(state) if went_away => return End::Stopped(exit(state)),
            Some(state) => return End::Exited(exit(state)),
        }
        tracing::warn!("container {name} runs on; what it wrote meanwhile is not shown");
        output = match attach(docker, name).await {
            Ok(attached) => attached.output,
            Err(_) => Box::pin(futures::stream::empty()),
        };
    }
}

/// Hands the output on until the process has ended, and gives its status.
async fn follow(
    docker: &Docker,
    name: &str,
    output: Output,
    log: &Log,
) -> std::result::Result<i64, DockerError> {
    let mut writing = Box::pin(write(output, log));
    let mut is_written = false;
    // One that has ended meanwhile is told of, too, so that it is early enough to ask now.
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
    if !is_written && tokio::time::timeout(REST, writing).await.is_err() {
        tracing::warn!("container {name} has ended, and its output has no end");
    }
    Ok(status)
}

async fn write(mut output: Output, log: &Log) {
    // What breaks off is the daemon's end, which is noticed elsewhere.
    while let Some(Ok(chunk)) = output.next().await {
        match chunk {
            LogOutput::StdErr { message } => log.write(LogStream::Stderr, &message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                log.write(LogStream::Stdout, &message);
            }
            LogOutput::StdIn { .. } => {}
        }
    }
}

/// The container's state, none if it isn't there any more; nothing at all if the daemon is away for
/// too long.
async fn look(docker: &Docker, name: &str, patience: Duration) -> Option<Option<ContainerState>> {
    let started = Instant::now();
    loop {
        match found(docker.inspect_container(name, None).await) {
            Ok(found) => return Some(found.map(|container| container.state.unwrap_or_default())),
            Err(_) if started.elapsed() >= patience => return None,
            // Nobody tells when a daemon is back.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn is_running(state: &ContainerState) -> bool {
    state.running == Some(true) && !is_being_removed(state)
}

fn is_being_removed(state: &ContainerState) -> bool {
    use ContainerStateStatusEnum::{DEAD, REMOVING};
    state.dead == Some(true) || matches!(state.status, Some(DEAD | REMOVING))
}

pub(super) fn exit(state: ContainerState) -> Exit {
    Exit { status: state.exit_code.unwrap_or(-1), is_out_of_memory: state.oom_killed == Some(true) }
}

/// Removes the container `name` with what belongs to it alone, running or not; one that isn't there is
/// no error, nor one that somebody else removes.
pub(crate) async fn remove_container(reached: Reached, name: String) -> Result<()> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    let Reached { docker, patience, .. } = &reached;
    let remove = || docker.remove_container(&name, Some(options.clone()));
    match patience.persist(remove).await {
        Err(error) if !matches!(status(&error), Some(404 | 409)) => {
            Err(refused(format!("cannot remove container {name}"), error))
        }
        _ => Ok(()),
    }
}
