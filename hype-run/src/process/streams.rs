//! The ends of pipes that a guest has. What is in a pipe waits there: nothing is read before the guest asks, and
//! one piece at a time is written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::JoinHandle;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// How many bytes a guest reads or writes at once, at most.
const PIECE: usize = 64 << 10;

/// What a command writes, for the guest to read.
pub(crate) struct Outgoing<R> {
    pipe: R,
    /// What was read to see whether there is something.
    ahead: Bytes,
    ended: Option<io::Result<()>>,
}

impl<R: AsyncRead + Send + Unpin + 'static> Outgoing<R> {
    pub(crate) fn new(pipe: R) -> Self {
        Self { pipe, ahead: Bytes::new(), ended: None }
    }

    /// Reads what is there now.
    fn read_now(&mut self, size: usize) {
        let mut bytes = BytesMut::zeroed(size.min(PIECE));
        let mut buffer = ReadBuf::new(&mut bytes);
        let context = &mut Context::from_waker(Waker::noop());
        if let Poll::Ready(read) = Pin::new(&mut self.pipe).poll_read(context, &mut buffer) {
            let length = buffer.filled().len();
            bytes.truncate(length);
            self.take(read, bytes);
        }
    }

    fn take(&mut self, read: io::Result<()>, bytes: BytesMut) {
        match read {
            Ok(()) if !bytes.is_empty() => self.ahead = bytes.freeze(),
            ended => self.ended = Some(ended),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl<R: AsyncRead + Send + Unpin + 'static> InputStream for Outgoing<R> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        if self.ahead.is_empty() && self.ended.is_none() {
            self.read_now(size);
        }
        if !self.ahead.is_empty() {
            return Ok(self.ahead.split_to(size.min(self.ahead.len())));
        }
        match self.ended.replace(Ok(())) {
            None => {
                self.ended = None;
                Ok(Bytes::new())
            }
            Some(Ok(())) => Err(StreamError::Closed),
            Some(Err(error)) => Err(StreamError::LastOperationFailed(error.into())),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl<R: AsyncRead + Send + Unpin + 'static> Pollable for Outgoing<R> {
    async fn ready(&mut self) {
        if self.ahead.is_empty() && self.ended.is_none() {
            let mut bytes = BytesMut::with_capacity(PIECE);
            let read = self.pipe.read_buf(&mut bytes).await;
            self.take(read.map(drop), bytes);
        }
    }
}

/// What a guest writes, for a command to read.
pub(crate) enum Incoming<W> {
    Idle(W),
    /// It goes on though this is dropped, and then the command has read all of it, or ended.
    Writing(JoinHandle<io::Result<W>>),
    Failed(io::Error),
    Closed,
}

impl<W: AsyncWrite + Send + Unpin + 'static> Incoming<W> {
    fn told(&mut self) -> StreamError {
        match std::mem::replace(self, Self::Closed) {
            Self::Failed(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                StreamError::LastOperationFailed(error.into())
            }
            _ => StreamError::Closed,
        }
    }
}

#[wasmtime_wasi::async_trait]
impl<W: AsyncWrite + Send + Unpin + 'static> OutputStream for Incoming<W> {
    fn write(&mut self, mut bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > PIECE {
            return Err(StreamError::trap("more was written than the stream allowed"));
        }
        match std::mem::replace(self, Self::Closed) {
            Self::Idle(pipe) if bytes.is_empty() => *self = Self::Idle(pipe),
            Self::Idle(mut pipe) => {
                *self = Self::Writing(tokio::spawn(async move {
                    pipe.write_all_buf(&mut bytes).await?;
                    Ok(pipe)
                }));
            }
            Self::Writing(_) => {
                return Err(StreamError::trap("something was written before the stream was ready"));
            }
            ended => {
                *self = ended;
                return Err(self.told());
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        // Nothing may be written before all was.
        match self {
            Self::Idle(_) | Self::Writing(_) => Ok(()),
            Self::Failed(_) | Self::Closed => Err(self.told()),
        }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        match self {
            Self::Idle(_) => Ok(PIECE),
            Self::Writing(_) => Ok(0),
            Self::Failed(_) | Self::Closed => Err(self.told()),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl<W: AsyncWrite + Send + Unpin + 'static> Pollable for Incoming<W> {
    async fn ready(&mut self) {
        if let Self::Writing(writing) = self {
            *self = match writing.await {
                Ok(Ok(pipe)) => Self::Idle(pipe),
                Ok(Err(error)) => Self::Failed(error),
                Err(error) => Self::Failed(error.into()),
            };
        }
    }
}
