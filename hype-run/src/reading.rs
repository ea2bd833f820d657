//! Streams that read files, with a bounded number of blocking threads and of bytes for each guest.
//!
//! A guest can start a read without waiting for its end, and thus thousands concurrently. Each guest has
//! [`THREADS`] threads for reads; further reads wait.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};

use crate::budget::Budget;

/// The maximum size of one read, in bytes.
const MAX_READ: usize = 64 << 10;

/// The size of a read that a guest didn't request yet, in bytes.
const READ_AHEAD: usize = 4 << 10;

/// The maximum number of threads that read and write files for a guest concurrently.
const THREADS: usize = 4;

/// The threads that read and write files for one guest, and the budget for the bytes.
#[derive(Debug, Clone)]
pub(crate) struct FileThreads {
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) budget: Budget,
}

/// Reads a file from an offset.
pub(crate) struct FileReader {
    file: Arc<File>,
    offset: u64,
    is_in_tmp: bool,
    threads: FileThreads,
    state: State,
}

enum State {
    Idle,
    Reading(AbortOnDrop),
    Read(Bytes),
    Failed(StreamError),
    Closed,
}

/// A read in progress. Dropping it aborts the read if it waits for a thread.
struct AbortOnDrop(JoinHandle<State>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl FileThreads {
    pub(crate) fn new(budget: Budget) -> Self {
        Self { permits: Arc::new(Semaphore::new(THREADS)), budget }
    }

    /// Returns a stream that reads `file` from `offset`. The guest waits for a file of `/tmp` without another thread.
    pub(crate) fn reader(&self, file: Arc<File>, offset: u64, is_in_tmp: bool) -> FileReader {
        FileReader { file, offset, is_in_tmp, threads: self.clone(), state: State::Idle }
    }
}

impl FileReader {
    fn start(&mut self, size: usize) {
        let (file, offset, FileThreads { permits, budget }) =
            (Arc::clone(&self.file), self.offset, self.threads.clone());
        self.state = State::Reading(AbortOnDrop(tokio::spawn(async move {
            // The semaphore is never closed.
            let permit = permits.acquire_owned().await;
            let read = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                read(&file, offset, size, &budget)
            });
            read.await.unwrap_or_else(|error| State::Failed(failed(io::Error::other(error))))
        })));
    }

    async fn finish(&mut self) {
        if let State::Reading(reading) = &mut self.state {
            let ended = (&mut reading.0).await;
            self.state = ended.unwrap_or(State::Closed);
        }
    }
}

fn failed(error: io::Error) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}

fn read(file: &File, offset: u64, size: usize, budget: &Budget) -> State {
    let mut bytes = BytesMut::zeroed(size.min(MAX_READ));
    loop {
        match read_at(file, &mut bytes, offset) {
            Ok(0) => return State::Closed,
            Ok(length) => {
                // A short read must not keep the whole buffer, of which only the read bytes are charged.
                let read = match bytes.get(..length) {
                    Some(part) if length < bytes.len() => Bytes::copy_from_slice(part),
                    _ => bytes.freeze(),
                };
                return match budget.charge_bytes(read) {
                    Ok(bytes) => State::Read(bytes),
                    Err(error) => State::Failed(StreamError::Trap(error.into())),
                };
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return State::Failed(failed(error)),
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, offset)
}

#[wasmtime_wasi::async_trait]
impl InputStream for FileReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match &mut self.state {
            State::Idle if size > 0 => self.start(size),
            State::Idle | State::Reading(_) => {}
            State::Read(bytes) => {
                let part = bytes.split_to(size.min(bytes.len()));
                self.offset += part.len() as u64;
                if bytes.is_empty() {
                    self.state = State::Idle;
                }
                return Ok(part);
            }
            State::Failed(_) => {
                if let State::Failed(error) = std::mem::replace(&mut self.state, State::Closed) {
                    return Err(error);
                }
            }
            State::Closed => return Err(StreamError::Closed),
        }
        Ok(Bytes::new())
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.finish().await;
        if matches!(self.state, State::Idle) && size > 0 {
            let Self { file, offset, threads: FileThreads { budget, .. }, .. } = self;
            self.state = match self.is_in_tmp {
                true => read(file, *offset, size, budget),
                false => {
                    let (file, offset, budget) = (Arc::clone(file), *offset, budget.clone());
                    // The read needs no permit, since the guest waits for it.
                    let read = move || read(&file, offset, size, &budget);
                    let read = tokio::task::spawn_blocking(read).await;
                    read.map_err(|error| failed(io::Error::other(error)))?
                }
            };
        }
        self.read(size)
    }

    async fn cancel(&mut self) {
        if let State::Reading(reading) = &self.state {
            reading.0.abort();
            self.finish().await;
        }
        self.state = State::Closed;
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for FileReader {
    async fn ready(&mut self) {
        if matches!(self.state, State::Idle) {
            self.start(READ_AHEAD);
        }
        self.finish().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::poll_without_threads;

    #[test]
    fn only_a_file_of_tmp_is_read_without_another_thread() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        let file = Arc::new(File::open(path).unwrap());
        let threads = FileThreads::new(Budget::new(1 << 20));
        let mut reader = threads.reader(Arc::clone(&file), 1, true);
        let read = poll_without_threads(reader.blocking_read(10)).map(Result::unwrap);
        assert_eq!(read, std::task::Poll::Ready(Bytes::from_static(b"bc")));
        let mut reader = threads.reader(file, 1, false);
        assert!(poll_without_threads(reader.blocking_read(10)).is_pending());
    }
}
