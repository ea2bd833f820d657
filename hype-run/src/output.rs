//! A guest's standard output and error: handed on while it runs, and the end of each kept.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::kept_log::{KeptLog, LogFile};

/// How much of each stream an outcome carries.
const TAIL: usize = 64 << 10;

/// How much a guest may hand over in one write.
const CHUNK: usize = 64 << 10;

/// One of the two streams of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

type Sink = dyn Fn(Stream, &[u8]) + Send + Sync;

/// Where the output of one run goes.
#[derive(Clone)]
pub struct Output {
    sink: Arc<Sink>,
    tails: Arc<[Mutex<Tail>; 2]>,
    kept: Option<Arc<KeptLog>>,
}

/// The end of a stream.
#[derive(Debug, Default)]
struct Tail {
    bytes: VecDeque<u8>,
    /// Whether there was more before it.
    is_cut: bool,
}

impl Output {
    /// Output that `sink` is given piece by piece, as the guest writes it.
    ///
    /// The guest waits while `sink` works, and so cannot fill the memory of a slow reader.
    pub fn new(sink: impl Fn(Stream, &[u8]) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink), tails: Arc::default(), kept: None }
    }

    /// The same, of which all is kept, up to 64 MiB, and left in the stage if the outcome can't carry it.
    #[must_use]
    pub fn keeping_all(self) -> Self {
        Self { kept: Some(Arc::default()), ..self }
    }

    /// The last that was written to `stream`, at most 64 KiB.
    pub fn tail(&self, stream: Stream) -> Vec<u8> {
        self.lock(stream).bytes.iter().copied().collect()
    }

    /// All that was kept, if the tails aren't all that was written.
    pub(crate) fn kept(&self) -> Option<LogFile> {
        let is_cut = [Stream::Stdout, Stream::Stderr].into_iter().any(|it| self.lock(it).is_cut);
        self.kept.as_ref().filter(|_| is_cut)?.end()
    }

    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) {
        (self.sink)(stream, bytes);
        if let Some(kept) = &self.kept {
            kept.write(stream, bytes);
        }
        let mut tail = self.lock(stream);
        tail.is_cut |= tail.bytes.len() + bytes.len() > TAIL;
        tail.bytes.extend(&bytes[bytes.len().saturating_sub(TAIL)..]);
        let excess = tail.bytes.len().saturating_sub(TAIL);
        tail.bytes.drain(..excess);
    }

    fn lock(&self, stream: Stream) -> std::sync::MutexGuard<'_, Tail> {
        self.tails[stream as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stream(&self, stream: Stream) -> GuestStream {
        GuestStream { output: self.clone(), stream }
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Output")
    }
}

/// The guest's end of one stream. Nothing is buffered: a write is handed on before it returns.
#[derive(Clone)]
pub(crate) struct GuestStream {
    output: Output,
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
        if bytes.len() > CHUNK {
            return Err(StreamError::trap("more was written than the stream allowed"));
        }
        self.output.write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
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
        let bytes = &bytes[..bytes.len().min(CHUNK)];
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
    fn the_end_of_each_stream_is_kept() {
        let output = Output::new(|_, _| {});
        output.write(Stream::Stderr, b"error");
        output.write(Stream::Stdout, &vec![b'a'; TAIL]);
        output.write(Stream::Stdout, b"end");
        let tail = output.tail(Stream::Stdout);
        assert_eq!(tail.len(), TAIL);
        assert!(tail.starts_with(b"aaa") && tail.ends_with(b"aend"));
        assert_eq!(output.tail(Stream::Stderr), b"error");
    }

    #[test]
    fn all_is_kept_that_the_tails_have_not() {
        let output = Output::new(|_, _| {}).keeping_all();
        output.write(Stream::Stdout, &vec![b'a'; TAIL]);
        output.write(Stream::Stderr, b"error\n");
        assert!(output.kept().is_none());
        output.write(Stream::Stdout, b"b\nend");
        let kept = output.kept().unwrap();
        let text = std::fs::read_to_string(kept.path()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        // A line without end is broken where it has 64 KiB.
        assert_eq!(lines, [&*"a".repeat(TAIL), "\u{2063}error", "b", "end"]);
        assert_eq!(kept.blob(), hype_wire::Blob::of(text.as_bytes()));
    }

    #[test]
    fn the_sink_sees_all_at_once() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let output = Output::new(move |stream, bytes| {
            sink.lock().unwrap().push((stream, bytes.to_vec()));
        });
        output.write(Stream::Stdout, b"one");
        assert_eq!(*seen.lock().unwrap(), [(Stream::Stdout, b"one".to_vec())]);
    }
}
