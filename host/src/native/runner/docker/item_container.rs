//! A container that runs items of a map. Its standard streams carry the messages about them.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::ContainerCreateBody;
use futures::StreamExt;
use hype_wire::items::{Frames, ItemChunk, ItemMessage, SentBytes, frame};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::daemon::ConnectedDaemon;
use super::end::EndedContainer;
use super::item_output::ContainerOutput;
use super::run::{Created, OutputStream, Started, begin, end_without_output};
use crate::error::{Error, Result};
use crate::map::processes::{ItemProcess, ItemProcesses};
use crate::runner::Process;
use crate::runner::lost::lost;

/// The containers of a map.
pub(super) struct Containers<'a> {
    daemon: &'a ConnectedDaemon,
    process: &'a Process,
    /// The number of the attempt, with which the names of containers end.
    attempt: u32,
    body: ContainerCreateBody,
    reconnect_timeout: Duration,
    /// The number of containers so far.
    started: AtomicU32,
}

/// A container that runs items.
pub(super) struct ItemContainer<'a> {
    daemon: &'a ConnectedDaemon,
    process: &'a Process,
    reconnect_timeout: Duration,
    name: String,
    created: Created,
    output: OutputStream,
    input: Pin<Box<dyn AsyncWrite + Send>>,
    frames: Frames<ItemMessage>,
    written: ContainerOutput,
    /// Whether the container runs no items any more.
    is_over: bool,
}

impl<'a> Containers<'a> {
    pub(super) fn new(
        daemon: &'a ConnectedDaemon,
        process: &'a Process,
        attempt: u32,
        body: ContainerCreateBody,
        reconnect_timeout: Duration,
    ) -> Self {
        let started = AtomicU32::new(0);
        Self { daemon, process, attempt, body, reconnect_timeout, started }
    }
}

impl<'a> ItemProcesses for Containers<'a> {
    type Process = ItemContainer<'a>;

    async fn start(&self) -> Result<ItemContainer<'a>> {
        let Self { daemon, process, attempt, reconnect_timeout, .. } = *self;
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("{}-w{number}-{attempt}", process.run_id);
        let started = begin(daemon, process, &name, self.body.clone()).await?;
        let Started { created, streams } = started;
        Ok(ItemContainer {
            daemon,
            process,
            reconnect_timeout,
            name,
            created,
            output: streams.output,
            input: streams.input,
            frames: Frames::default(),
            written: ContainerOutput::new(process.log.clone()),
            is_over: false,
        })
    }
}

impl ItemProcess for ItemContainer<'_> {
    async fn send(&mut self, chunk: &ItemChunk<SentBytes<'_>>) -> io::Result<()> {
        // Its end was noticed, but not its reason, since `receive` was dropped.
        if self.is_over {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let frame = match frame(chunk) {
            Ok(frame) => frame,
            Err(error) => {
                self.is_over = true;
                return Err(io::Error::other(error));
            }
        };
        self.input.write_all(&frame).await?;
        self.written.assign(chunk);
        // All of the frame was passed on, so that the container may have received it. If not, `receive` says so.
        let _ = self.input.flush().await;
        Ok(())
    }

    async fn receive(&mut self) -> Result<ItemMessage> {
        loop {
            if self.is_over {
                return Err(self.lost().await);
            }
            match self.frames.next_message() {
                Ok(Some(message)) => {
                    self.written.record(&message);
                    return Ok(message);
                }
                Ok(None) => {}
                Err(error) => {
                    self.is_over = true;
                    return Err(self.confused(&error).await);
                }
            }
            match self.output.next().await {
                Some(Ok(LogOutput::StdOut { message })) => self.frames.push(&message),
                Some(Ok(LogOutput::StdErr { message })) => {
                    self.written.write(&message);
                }
                Some(Ok(LogOutput::StdIn { .. } | LogOutput::Console { .. })) => {}
                Some(Err(_)) | None => self.is_over = true,
            }
        }
    }

    /// Closes the standard input, upon which the container exits by itself. Its removal is registered.
    async fn end(mut self) {
        // An error means that the container has ended.
        let _ = self.input.shutdown().await;
        self.created.mark_ended();
    }
}

impl ItemContainer<'_> {
    /// Removes the container, which has ended or is unusable, and returns why.
    async fn lost(&mut self) -> Error {
        let end = end_without_output(self.daemon, &self.name, self.reconnect_timeout).await;
        self.remove().await;
        let last_lines = self.written.last_lines();
        let ended = EndedContainer::of(self.process, &self.name, self.daemon);
        let ended = EndedContainer { last_lines: last_lines.clone(), ..ended }.judge(end);
        ended.err().unwrap_or_else(|| {
            let reason = format!("container {} was stopped, or runs no items", self.name);
            lost(&self.process.run_id, reason, &last_lines).hint(
                "possible causes: docker stop; or an image whose entrypoint is something else than hype-run of \
                 this version",
            )
        })
    }

    /// Removes a container that wrote something else than messages, and returns the error.
    async fn confused(&mut self, error: &hype_wire::WireError) -> Error {
        self.remove().await;
        self.without_hype_run(&error.to_string())
    }

    fn without_hype_run(&mut self, problem: &str) -> Error {
        let reason = format!("container {} runs no items: {problem}", self.name);
        lost(&self.process.run_id, reason, &self.written.last_lines())
            .hint("the image's entrypoint must be hype-run of this version, and nothing else")
    }

    async fn remove(&mut self) {
        match self.created.remove(self.daemon).await {
            Ok(()) => self.created.mark_ended(),
            Err(error) => tracing::warn!("{}", error.report()),
        }
    }
}
