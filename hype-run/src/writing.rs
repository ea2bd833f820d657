//! Streams that write files: in `/tmp` with its quota, elsewhere with a bounded number of blocking threads
//! and of bytes for each guest.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

use crate::filesystem::SharedFiles;
use crate::reading::FileThreads;

/// The maximum size of one write, in bytes.
const MAX_WRITE: usize = 64 << 10;

/// Writes to a file through wasmtime's stream. Limits the number of threads, since that stream starts one for each
/// write.
pub(crate) struct FileWriter {
    threads: FileThreads,
    state: State,
}

enum State {
    Idle(DynOutputStream),
    Writing(JoinHandle<State>),
    Failed(StreamError),
    Closed,
}

impl FileWriter {
    pub(crate) fn new(inner: DynOutputStream, threads: FileThreads) -> Self {
        Self { threads, state: State::Idle(inner) }
    }

    async fn finish(&mut self) {
        if let State::Writing(writing) = &mut self.state {
            let ended = writing.await;
            self.state = ended.unwrap_or(State::Closed);
        }
    }

    fn error(&mut self) -> StreamError {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Failed(error) => error,
            _ => StreamError::Closed,
        }
    }

    fn charged(&self, bytes: Bytes) -> StreamResult<Bytes> {
        if bytes.len() > MAX_WRITE {
            return Err(StreamError::trap("more was written than the stream allowed"));
        }
        self.threads.budget.charge_bytes(bytes).map_err(|error| StreamError::Trap(error.into()))
    }
}

async fn write(mut inner: DynOutputStream, bytes: Bytes) -> State {
    match inner.blocking_write_and_flush(bytes).await {
        Ok(()) => State::Idle(inner),
        Err(error) => State::Failed(error),
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for FileWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let bytes = self.charged(bytes)?;
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Idle(inner) => {
                let permits = self.threads.permits.clone();
                self.state = State::Writing(tokio::spawn(async move {
                    // The semaphore is never closed.
                    let permit = permits.acquire_owned().await;
                    // A write that has begun keeps its permit, even if the guest drops the stream: its thread stays
                    // blocked.
                    let writing = tokio::spawn(async move {
                        let _permit = permit;
                        write(inner, bytes).await
                    });
                    writing.await.unwrap_or(State::Closed)
                }));
                Ok(())
            }
            State::Writing(writing) => {
                self.state = State::Writing(writing);
                Err(StreamError::trap("something was written before the stream was ready"))
            }
            ended => {
                self.state = ended;
                Err(self.error())
            }
        }
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.finish().await;
        let bytes = self.charged(bytes)?;
        // The write needs no permit, since the guest waits for it.
        self.state = match std::mem::replace(&mut self.state, State::Closed) {
            State::Idle(inner) => write(inner, bytes).await,
            ended => ended,
        };
        self.flush()
    }

    fn flush(&mut self) -> StreamResult<()> {
        match self.state {
            State::Idle(_) | State::Writing(_) => Ok(()),
            State::Failed(_) | State::Closed => Err(self.error()),
        }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        match self.state {
            State::Idle(_) => Ok(MAX_WRITE),
            State::Writing(_) => Ok(0),
            State::Failed(_) | State::Closed => Err(self.error()),
        }
    }

    async fn cancel(&mut self) {
        self.finish().await;
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if let State::Writing(writing) = &self.state {
            writing.abort();
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for FileWriter {
    async fn ready(&mut self) {
        self.finish().await;
    }
}

/// Writes to a file of `/tmp`. It buffers nothing, so that each write is counted before it happens.
pub(crate) struct TmpWriter {
    pub(crate) file: Arc<File>,
    /// The offset of the next write, or `None` to append.
    pub(crate) at: Option<u64>,
    pub(crate) files: SharedFiles,
}

impl TmpWriter {
    fn write_counted(&mut self, bytes: &[u8]) -> io::Result<()> {
        let at = match self.at {
            Some(at) => at,
            None => self.file.metadata()?.len(),
        };
        let end = at.saturating_add(bytes.len() as u64);
        let counted = self.files.lock().grow(&self.file, end)?;
        let written = write_all_at(&self.file, bytes, at);
        if written.is_err() {
            self.files.lock().recount(&self.file, counted)?;
        }
        written?;
        self.at = self.at.map(|_| end);
        Ok(())
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};

    file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(bytes))
}

impl OutputStream for TmpWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > MAX_WRITE {
            return Err(StreamError::trap("more was written than the stream allowed"));
        }
        self.write_counted(&bytes).map_err(|error| StreamError::LastOperationFailed(error.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for TmpWriter {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::budget::Budget;

    /// A stream whose writes never end. Counts them.
    struct Stuck(Arc<AtomicUsize>);

    #[wasmtime_wasi::async_trait]
    impl OutputStream for Stuck {
        fn write(&mut self, _: Bytes) -> StreamResult<()> {
            Ok(())
        }

        fn flush(&mut self) -> StreamResult<()> {
            Ok(())
        }

        fn check_write(&mut self) -> StreamResult<usize> {
            Ok(MAX_WRITE)
        }

        async fn blocking_write_and_flush(&mut self, _: Bytes) -> StreamResult<()> {
            self.0.fetch_add(1, Ordering::Relaxed);
            std::future::pending().await
        }
    }

    #[wasmtime_wasi::async_trait]
    impl Pollable for Stuck {
        async fn ready(&mut self) {}
    }

    #[tokio::test]
    async fn dropped_write_keeps_its_permit() {
        let threads = FileThreads::new(Budget::new(1 << 20));
        let permits = threads.permits.available_permits();
        let begun = Arc::new(AtomicUsize::new(0));
        for _ in 0..5 * permits {
            let stuck = Box::new(Stuck(Arc::clone(&begun)));
            let mut writer = FileWriter::new(stuck, threads.clone());
            writer.write(Bytes::from_static(b"x")).unwrap();
            // Runs the other tasks of this thread until they wait.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(begun.load(Ordering::Relaxed), permits);
    }
}
