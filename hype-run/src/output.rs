//! A guest's standard output and standard error: passed on while it runs, with the end of each kept.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::kept_log::{KeptLog, LogFile};
use crate::program::CollectedOutput;

/// The maximum size of the part of each stream that an outcome carries, in bytes.
const MAX_TAIL: usize = 64 << 10;

/// The maximum size of one write of a guest, in bytes.
const MAX_WRITE: usize = 64 << 10;

/// An output stream of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}

type Sink = dyn Fn(Stream, &[u8]) + Send + Sync;

/// The standard output and standard error of the guest of one run. Clones share their state.
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use hype_run::{GuestOutput, Stream};
///
/// let output = GuestOutput::new(|stream, bytes| {
///     // A closed output must not stop the guest.
///     let _ = match stream {
///         Stream::Stdout => std::io::stdout().write_all(bytes),
///         Stream::Stderr => std::io::stderr().write_all(bytes),
///     };
/// });
/// assert_eq!(output.tail(Stream::Stdout), b"");
/// ```
#[derive(Clone)]
pub struct GuestOutput {
    sink: Arc<Sink>,
    tails: Arc<[Mutex<Tail>; 2]>,
    kept: Option<Arc<KeptLog>>,
    collected: Option<Arc<CollectedOutput>>,
}

/// The end of a stream.
#[derive(Debug, Default)]
struct Tail {
    bytes: VecDeque<u8>,
    /// Whether earlier bytes were dropped.
    is_truncated: bool,
}

impl GuestOutput {
    /// Creates an output that passes each write of the guest to `sink`.
    ///
    /// The guest waits until `sink` returns, so that output never piles up in memory.
    pub fn new(sink: impl Fn(Stream, &[u8]) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink), tails: Arc::default(), kept: None, collected: None }
    }

    /// Keeps the first 64 MiB of the output, and stages them if the outcome can't carry all of it.
    /// Without this only the last 64 KiB of each stream are kept.
    #[must_use]
    pub fn keeping_all(self) -> Self {
        Self { kept: Some(Arc::default()), ..self }
    }

    /// Returns an output that shares all state with this one, and also appends each write to `collected`.
    pub(crate) fn collecting(&self, collected: Arc<CollectedOutput>) -> Self {
        Self { collected: Some(collected), ..self.clone() }
    }

    /// Returns the end of `stream`, at most its last 64 KiB.
    pub fn tail(&self, stream: Stream) -> Vec<u8> {
        self.lock(stream).bytes.iter().copied().collect()
    }

    /// Returns the log that was kept, if the tails lack a part of the output.
    pub(crate) fn kept(&self) -> Option<LogFile> {
        let mut streams = [Stream::Stdout, Stream::Stderr].into_iter();
        let is_truncated = streams.any(|stream| self.lock(stream).is_truncated);
        self.kept.as_ref().filter(|_| is_truncated)?.finish()
    }

    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) {
        (self.sink)(stream, bytes);
        if let Some(kept) = &self.kept {
            kept.write(stream, bytes);
        }
        if let Some(collected) = &self.collected {
            collected.write(stream, bytes);
        }
        let mut tail = self.lock(stream);
        tail.is_truncated |= tail.bytes.len() + bytes.len() > MAX_TAIL;
        tail.bytes.extend(&bytes[bytes.len().saturating_sub(MAX_TAIL)..]);
        let excess = tail.bytes.len().saturating_sub(MAX_TAIL);
        tail.bytes.drain(..excess);
    }

    fn lock(&self, stream: Stream) -> std::sync::MutexGuard<'_, Tail> {
        self.tails[stream as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stream(&self, stream: Stream) -> GuestStream {
        GuestStream { output: self.clone(), stream }
    }
}

impl std::fmt::Debug for GuestOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GuestOutput")
    }
}

/// The guest's handle of one stream. It buffers nothing: a write reaches the sink before it returns.
#[derive(Clone)]
pub(crate) struct GuestStream {
    output: GuestOutput,
    stream: Stream,
}

impl IsTerminal for GuestStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestStream {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl OutputStream for GuestStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > MAX_WRITE {
            return Err(StreamError::trap("more was written than the stream allowed"));
        }
        self.output.write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestStream {
    async fn ready(&mut self) {}
}

impl tokio::io::AsyncWrite for GuestStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let bytes = &bytes[..bytes.len().min(MAX_WRITE)];
        self.output.write(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_keeps_the_end_of_each_stream() {
        let output = GuestOutput::new(|_, _| {});
        output.write(Stream::Stderr, b"error");
        output.write(Stream::Stdout, &vec![b'a'; MAX_TAIL]);
        output.write(Stream::Stdout, b"end");
        let tail = output.tail(Stream::Stdout);
        assert_eq!(tail.len(), MAX_TAIL);
        assert!(tail.starts_with(b"aaa") && tail.ends_with(b"aend"));
        assert_eq!(output.tail(Stream::Stderr), b"error");
    }

    #[test]
    fn log_is_kept_when_tails_are_truncated() {
        let output = GuestOutput::new(|_, _| {}).keeping_all();
        output.write(Stream::Stdout, &vec![b'a'; MAX_TAIL]);
        output.write(Stream::Stderr, b"error\n");
        assert!(output.kept().is_none());
        output.write(Stream::Stdout, b"b\nend");
        let kept = output.kept().unwrap();
        let text = std::fs::read_to_string(kept.path()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        // A line longer than 64 KiB is split.
        assert_eq!(lines, [&*"a".repeat(MAX_TAIL), "\u{2063}error", "b", "end"]);
        assert_eq!(kept.blob(), hype_wire::Blob::of(text.as_bytes()));
    }

    #[test]
    fn sink_receives_a_write_before_it_returns() {
        let received = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&received);
        let output = GuestOutput::new(move |stream, bytes| {
            sink.lock().unwrap().push((stream, bytes.to_vec()));
        });
        output.write(Stream::Stdout, b"one");
        assert_eq!(*received.lock().unwrap(), [(Stream::Stdout, b"one".to_vec())]);
    }
}
