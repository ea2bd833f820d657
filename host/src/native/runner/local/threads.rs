//! The threads that closures run on.

use hype_run::BLOCKING_THREADS_PER_CALL;
use tokio::runtime::Runtime;

use crate::error::{Error, Result};

/// A runtime that may be dropped anywhere, also inside another runtime.
#[derive(Debug)]
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    /// Starts threads for `calls` concurrent calls, none of which can take the blocking threads of another.
    pub(super) fn start(calls: usize) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("hype-local")
            .max_blocking_threads(calls * BLOCKING_THREADS_PER_CALL)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    pub(super) fn get(&self) -> Result<&Runtime> {
        self.0
            .as_ref()
            .ok_or_else(|| Error::runner("the local runner is shut down", "its threads are gone"))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
