//! Threads for this process's own I/O, which may block.
//!
//! tokio's blocking threads are shared with the guests of a process. If a file system doesn't answer, guests may hold all
//! of them. The process still reads and writes its stages and caches then, since its own work has other threads.

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};

use crate::per_process::PerProcess;

/// The maximum number of threads. More would hardly read faster from any disk.
const MAX_THREADS: usize = 64;

/// A runtime that only has blocking threads: no task runs on it. A thread ends after some idle seconds.
static THREADS: PerProcess<std::io::Result<Runtime>> = PerProcess::new(|| {
    Builder::new_current_thread().thread_name("hype-io").max_blocking_threads(MAX_THREADS).build()
});

/// Runs `work`, which may block, on a thread for this process's own I/O. No guest uses these threads. An ending runtime
/// doesn't wait for them.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let text = hype_stage::spawn_io(|| std::fs::read_to_string("Cargo.toml")).await??;
/// # assert!(text.contains("hype-stage"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// When the system starts no thread.
pub fn spawn_io<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match THREADS.get() {
        Ok(threads) => threads.spawn_blocking(work),
        Err(_) => tokio::task::spawn_blocking(work),
    }
}

/// Runs `work`, which may block, on a thread for I/O and returns its result.
pub(crate) async fn blocking<T: Send + 'static, E: From<JoinError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    spawn_io(work).await?
}
