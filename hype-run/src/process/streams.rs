//! The guest's ends of a command's pipes. They don't buffer beyond one piece, which is charged to the guest: data stays
//! in the pipe until the guest reads or polls, and a write begins after the previous one has ended.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::JoinHandle;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::commands::Slot;
use crate::budget::Budget;

/// The maximum size of one read or write, in bytes.
const PIECE: usize = 64 << 10;

/// This process's end of a pipe of a command. It occupies the slot of the command, even after the command has ended,
/// since it is a descriptor of this process.
pub(crate) struct Pipe<T> {
    pub(crate) end: T,
    budget: Budget,
    _slot: Slot,
}

impl<T> Pipe<T> {
    pub(crate) fn new(end: T, budget: &Budget, slot: &Slot) -> Self {
        Self { end, budget: budget.clone(), _slot: Arc::clone(slot) }
    }
}

/// A stream of a command's output, which the guest reads.
pub(crate) struct Outgoing<R> {
    /// The pipe, until everything is read or a read fails.
    pipe: Option<Pipe<R>>,
    /// The bytes that polling has read, and the guest has not.
    ahead: Bytes,
    error: Option<StreamError>,
}

impl<R: AsyncRead + Send + Unpin + 'static> Outgoing<R> {
    pub(crate) fn new(pipe: Pipe<R>) -> Self {
        Self { pipe: Some(pipe), ahead: Bytes::new(), error: None }
    }

    /// Reads up to `size` bytes ahead, if nothing is read yet. Holds no memory while it waits.
    fn poll_ahead(&mut self, context: &mut Context<'_>, size: usize) -> Poll<()> {
        let Some(pipe) = self.pipe.as_mut().filter(|_| self.ahead.is_empty()) else {
            return Poll::Ready(());
        };
        let mut bytes = BytesMut::zeroed(size.min(PIECE));
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = ready!(Pin::new(&mut pipe.end).poll_read(context, &mut buffer));
        let length = buffer.filled().len();
        let read = read.map_err(|error| StreamError::LastOperationFailed(error.into()));
        let charged = read.and_then(|()| {
            // A short read must not keep the whole buffer, of which only the read bytes are charged.
            let read = match length < bytes.len() {
                true => Bytes::copy_from_slice(&bytes[..length]),
                false => bytes.freeze(),
            };
            pipe.budget.charge_bytes(read).map_err(|error| StreamError::Trap(error.into()))
        });
        match charged {
            Ok(read) => self.ahead = read,
            Err(error) => self.error = Some(error),
        }
        if self.ahead.is_empty() {
            self.pipe = None;
        }
        Poll::Ready(())
    }
}

#[wasmtime_wasi::async_trait]
impl<R: AsyncRead + Send + Unpin + 'static> InputStream for Outgoing<R> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let _ = self.poll_ahead(&mut Context::from_waker(Waker::noop()), size);
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.pipe.is_none() && self.ahead.is_empty() {
            return Err(StreamError::Closed);
        }
        Ok(self.ahead.split_to(size.min(self.ahead.len())))
    }
}

#[wasmtime_wasi::async_trait]
impl<R: AsyncRead + Send + Unpin + 'static> Pollable for Outgoing<R> {
    async fn ready(&mut self) {
        poll_fn(|context| self.poll_ahead(context, PIECE)).await;
    }
}

/// A stream to a command's input, which the guest writes.
pub(crate) enum Incoming<W> {
    Idle(Pipe<W>),
    /// A write in progress. It continues if the stream is dropped, until the command has read everything or has ended.
    Writing(JoinHandle<io::Result<Pipe<W>>>),
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
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > PIECE {
            return Err(StreamError::trap("more was written than the stream allowed"));
        }
        match std::mem::replace(self, Self::Closed) {
            Self::Idle(pipe) if bytes.is_empty() => *self = Self::Idle(pipe),
            Self::Idle(mut pipe) => {
                let charged = pipe.budget.charge_bytes(bytes);
                let mut bytes = charged.map_err(|error| StreamError::Trap(error.into()))?;
                *self = Self::Writing(tokio::spawn(async move {
                    pipe.end.write_all_buf(&mut bytes).await?;
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
        // `check_write` allows no bytes until the write has ended, so a flush has nothing to do.
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

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    /// Returns the end of a pipe with a budget of `budget` bytes, and the semaphore of its slot.
    fn pipe<T>(end: T, budget: &Budget) -> (Pipe<T>, Arc<Semaphore>) {
        let slots = Arc::new(Semaphore::new(1));
        let slot = Arc::new(Arc::clone(&slots).try_acquire_owned().unwrap());
        (Pipe::new(end, budget, &slot), slots)
    }

    #[tokio::test]
    async fn read_ahead_is_charged_until_the_guest_reads_it() {
        let budget = Budget::new(100);
        let (pipe, _slots) = pipe(&[1_u8; 60][..], &budget);
        let mut stream = Outgoing::new(pipe);
        stream.ready().await;
        assert!(!budget.fits(41));
        drop(stream.read(60).unwrap());
        assert!(budget.fits(100));
    }

    #[tokio::test]
    async fn read_ahead_beyond_the_budget_stops_the_guest() {
        let (pipe, _slots) = pipe(&[1_u8; 60][..], &Budget::new(50));
        let mut stream = Outgoing::new(pipe);
        stream.ready().await;
        assert!(matches!(stream.read(1), Err(StreamError::Trap(_))));
    }

    #[tokio::test]
    async fn unread_output_keeps_the_slot_and_its_end_frees_it() {
        let (pipe, slots) = pipe(&[1_u8; 60][..], &Budget::new(100));
        let mut stream = Outgoing::new(pipe);
        assert_eq!(stream.read(50).unwrap().len(), 50);
        assert_eq!(stream.read(50).unwrap().len(), 10);
        assert_eq!(slots.available_permits(), 0);
        assert!(matches!(stream.read(50), Err(StreamError::Closed)));
        assert_eq!(slots.available_permits(), 1);
        stream.ready().await;
        assert!(matches!(stream.read(50), Err(StreamError::Closed)));
    }

    #[tokio::test]
    async fn write_in_progress_is_charged_and_keeps_the_slot() {
        let budget = Budget::new(100);
        let (ours, theirs) = tokio::io::duplex(10);
        let (pipe, slots) = pipe(ours, &budget);
        let mut stream = Incoming::Idle(pipe);
        stream.write(Bytes::from_static(&[1; 60])).unwrap();
        drop(stream);
        tokio::task::yield_now().await;
        assert!(!budget.fits(41) && slots.available_permits() == 0);
        drop(theirs);
        drop(slots.acquire().await.unwrap());
        assert!(budget.fits(100));
    }
}
