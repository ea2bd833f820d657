//! From an attempt to the end of its container.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as DockerError;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerState, ContainerStateStatusEnum,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions, WaitContainerOptionsBuilder,
};
use futures::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::daemon::{Reached, found, refused, status};
use super::end::exit;
use crate::error::{Error, Result};
use crate::progress::STEP;
use crate::run::log::{Log, LogStream};
use crate::runner::make::make;
use crate::runner::{Process, ProcessEnd, ProcessExit};

/// How long output is waited for that the daemon still has after the end.
const REST: Duration = Duration::from_secs(10);

type Output = Pin<Box<dyn Stream<Item = std::result::Result<LogOutput, DockerError>> + Send>>;

/// Makes and starts the container `name`, waits for its end and says what that was.
pub(crate) async fn run(
    reached: &Reached,
    process: &Process,
    (name, body): (&str, ContainerCreateBody),
    patience: Duration,
) -> Result<ProcessEnd> {
    let image = body.image.clone().unwrap_or_default();
    let has_ended = create(reached, process, (name, body)).await?;
    tracing::info!(target: STEP, "created container {name}");
    // Before it starts, so that nothing is missed.
    let AttachContainerResults { output, input } = attach(reached, name)
        .await
        .map_err(|error| refused(format!("cannot attach to container {name}"), error))?;
    hand_over(process, input)
        .await
        .map_err(|error| Error::runner(format!("cannot write to container {name}"), error))?;
    start(reached, name).await.map_err(|error| not_started(&image, name, error))?;
    process.handover.done();
    let end = watch(reached, name, output, (&process.log, patience)).await;
    has_ended.store(matches!(end, ProcessEnd::Exited(_)), Ordering::Relaxed);
    Ok(end)
}

/// Makes the container `name`, to be removed with what belongs to the process. What else is to be removed waits for
/// the container, which may use it, unless the flag that is given says that it has ended.
pub(crate) async fn create(
    reached: &Reached,
    process: &Process,
    (name, body): (&str, ContainerCreateBody),
) -> Result<Arc<AtomicBool>> {
    let has_ended = Arc::new(AtomicBool::new(false));
    let (ended, beside) = (Arc::clone(&has_ended), process.owned.beside());
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
    let (reached, made) = (reached.clone(), name.to_owned());
    let request = async move {
        let make_or_adopt = || make_or_adopt(&reached.docker, &made, &body);
        reached.patience.persist(make_or_adopt).await
    };
    let created = make(request, Some((&process.owned, shown, removal))).await?;
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
    created.iter().for_each(|warning| tracing::warn!("container {name}: {warning}"));
    Ok(has_ended)
}

/// Makes the container `name` and returns what the daemon warns of. One that is there already and has our labels, the
/// run's key among them, was made by a request whose answer got lost.
async fn make_or_adopt(
    docker: &Docker,
    name: &str,
    body: &ContainerCreateBody,
) -> std::result::Result<Vec<String>, DockerError> {
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    let conflict = match docker.create_container(Some(options), body.clone()).await {
        Err(error) if status(&error) == Some(409) => error,
        created => return created.map(|created| created.warnings),
    };
    match found(docker.inspect_container(name, None).await)? {
        Some(there) => match has_labels(&there, body) {
            true => Ok(Vec::new()),
            false => Err(conflict),
        },
        // The first request still makes it.
        None => Err(DockerError::RequestTimeoutError),
    }
}

/// Whether a container has all labels of `body`; its image may give it more.
fn has_labels(there: &ContainerInspectResponse, body: &ContainerCreateBody) -> bool {
    let labels = there.config.as_ref().and_then(|config| config.labels.as_ref());
    let has = |(name, value)| labels.and_then(|labels| labels.get(name)) == Some(value);
    body.labels.iter().flatten().all(has)
}

/// Attaches to a container, so that nothing of its output is missed.
async fn attach(
    reached: &Reached,
    name: &str,
) -> std::result::Result<AttachContainerResults, DockerError> {
    let options = AttachContainerOptionsBuilder::default();
    let options = options.stream(true).stdin(true).stdout(true).stderr(true).build();
    let attach = || reached.docker.attach_container(name, Some(options.clone()));
    reached.patience.persist(attach).await
}

/// Starts the container `name`, once: one that was started by a request whose answer got lost may have ended since, and
/// would run nothing a second time.
async fn start(reached: &Reached, name: &str) -> std::result::Result<(), DockerError> {
    let (docker, was_asked) = (&reached.docker, AtomicBool::new(false));
    let start = async || {
        if was_asked.swap(true, Ordering::Relaxed) {
            let state = docker.inspect_container(name, None).await?.state.unwrap_or_default();
            if state.status != Some(ContainerStateStatusEnum::CREATED) {
                return Ok(());
            }
        }
        docker.start_container(name, None::<StartContainerOptions>).await
    };
    reached.patience.persist(start).await
}

/// Hands the run's key over, which `hype-run` reads before all else.
async fn hand_over(
    process: &Process,
    mut input: Pin<Box<dyn AsyncWrite + Send>>,
) -> std::io::Result<()> {
    input.write_all(format!("{}\n", process.key.reveal()).as_bytes()).await?;
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
    reached: &Reached,
    name: &str,
    mut output: Output,
    (log, patience): (&Log, Duration),
) -> ProcessEnd {
    let docker = &reached.docker;
    let mut went_away = false;
    loop {
        match follow(docker, name, output, log).await {
            Ok(0) => return ProcessEnd::Exited(ProcessExit::of_status(0)),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    "the Docker daemon hung up, and is waited for {patience:?}: {error}"
                );
                went_away = true;
            }
        }
        let Ok(state) = look(reached, name).await else { return ProcessEnd::Unreachable(patience) };
        match state {
            None => return ProcessEnd::Deleted,
            Some(state) if is_running(&state) => {}
            Some(state) if is_being_removed(&state) => return ProcessEnd::Deleted,
            Some(state) if went_away => {
                let mut exit = exit(&state);
                exit.stopped_by = Some(format!(
                    "the Docker daemon at {} stopped while container {name} ran, and ended it with status {}",
                    reached.address, exit.status
                ));
                return ProcessEnd::Exited(exit);
            }
            Some(state) => return ProcessEnd::Exited(exit(&state)),
        }
        tracing::warn!("container {name} runs on; what it wrote meanwhile is not shown");
        output = match attach(reached, name).await {
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

/// The container's state, none if it isn't there any more.
async fn look(
    reached: &Reached,
    name: &str,
) -> std::result::Result<Option<ContainerState>, DockerError> {
    let looked = reached.patience.read(|| reached.docker.inspect_container(name, None)).await;
    Ok(found(looked)?.map(|container| container.state.unwrap_or_default()))
}

fn is_running(state: &ContainerState) -> bool {
    state.running == Some(true) && !is_being_removed(state)
}

fn is_being_removed(state: &ContainerState) -> bool {
    use ContainerStateStatusEnum::{DEAD, REMOVING};
    state.dead == Some(true) || matches!(state.status, Some(DEAD | REMOVING))
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
