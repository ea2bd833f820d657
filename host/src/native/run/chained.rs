//! Runs whose first argument is the value of another run.

use bytes::Bytes;
use hype_wire::{Blob, Payload};
use tokio::sync::oneshot;

use crate::call::handle::{FunctionHandle, OpenCall};
use crate::cleanup::list::CleanupList;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::progress::STEP;
use crate::run::driver::HandleState;
use crate::run::handle::{Ownership, Run, RunParts};
use crate::staging::RunArguments;

/// The encoded value of a run.
#[derive(Debug)]
pub(crate) enum RunValue {
    Read(Bytes),
    /// A large value, which only other runs need.
    Staged {
        name: String,
        blob: Blob,
    },
}

impl RunValue {
    /// Returns the large value in `payload`, which can stay in the stage.
    pub(crate) fn staged(payload: &Payload) -> Option<Self> {
        match payload {
            Payload::Staged { name, blob } if blob.size <= Payload::MAX_SIZE => {
                Some(Self::Staged { name: name.clone(), blob: *blob })
            }
            _ => None,
        }
    }

    /// Returns the bytes of a value for the program.
    pub(crate) fn into_bytes(self, run_id: &str) -> Result<Bytes> {
        match self {
            Self::Read(bytes) => Ok(bytes),
            Self::Staged { .. } => {
                Err(Error::lost(run_id, "its value is the argument of another run"))
            }
        }
    }
}

/// A run whose value is the first argument of another one. Dropping it cancels the run.
pub(crate) struct Previous {
    parts: RunParts,
    open: OpenCall,
    /// The cleanup list of the next run.
    next: CleanupList,
    /// Whether the value or the error was received.
    has_ended: bool,
}

impl Previous {
    /// Returns the run of `parts`, whose removal that of the next run waits for.
    pub(crate) fn new(parts: RunParts, open: OpenCall, next: CleanupList) -> Self {
        Self { parts, open, next, has_ended: false }
    }

    /// Returns the call that takes the value.
    pub(crate) fn open(&self) -> &OpenCall {
        &self.open
    }

    /// Waits for the value, and returns the arguments of the call that takes it.
    pub(crate) async fn arguments(&mut self) -> Result<RunArguments> {
        let (next, RunParts { id, function, .. }) = (self.open.function(), &self.parts);
        tracing::info!(target: STEP, "`{next}` waits for the value of `{function}`, {id}");
        let ended = (&mut self.parts.ended).await;
        self.has_ended = true;
        let id = &self.parts.id;
        let value = match ended.unwrap_or_else(|_| Err(Error::lost(id, "its driver panicked"))) {
            Ok(value) => value,
            Err(error) => {
                if error.failure().is_some() {
                    self.settle().await;
                }
                let place = format!("{id}, whose value `{}` takes", self.open.function());
                return Err(error.prefixed(place));
            }
        };
        Ok(match value {
            RunValue::Read(bytes) => RunArguments::Whole(self.open.arguments(&[&bytes])?),
            RunValue::Staged { name, blob } => {
                let (head, rest) = self.open.around()?;
                RunArguments::AroundValue { head, name, blob, rest }
            }
        })
    }

    /// Removes a run of another program, whose value or failure is here.
    async fn settle(&self) {
        if let Ownership::Attached(attachment) = &self.parts.ownership {
            attachment.settle().await;
        }
    }
}

/// Waits for `staging`, which stages a run with the value of `previous`. Renews the lease of a previous run of this program
/// meanwhile. Removes one of another program afterwards, since its value is where the next run needs it.
pub(crate) async fn take_value<T>(
    previous: Option<Previous>,
    staging: impl Future<Output = Result<T>>,
) -> Result<T> {
    let Some(previous) = previous else { return staging.await };
    match &previous.parts.ownership {
        Ownership::Owned { detaching, .. } => tokio::select! {
            staged = staging => staged,
            never = detaching.lease.keep() => match never {},
        },
        Ownership::Attached(_) => {
            let staged = staging.await?;
            previous.settle().await;
            Ok(staged)
        }
    }
}

/// Stops the run, and begins its removal.
impl Drop for Previous {
    fn drop(&mut self) {
        self.parts.abort.abort();
        let Ownership::Owned { cleanup, .. } = &self.parts.ownership else { return };
        let (_, closed) = oneshot::channel();
        let ended = std::mem::replace(&mut self.parts.ended, closed);
        let (cleanup, has_ended) = (cleanup.clone(), self.has_ended);
        self.next.remove_beside(async move {
            // The run's task drops everything that it holds before this channel closes.
            if !has_ended {
                let _ = ended.await;
            }
            cleanup.remove().await
        });
    }
}

impl<T> Run<T> {
    /// Starts another function in `env` once this run has ended, with its value as the first argument, and returns the
    /// handle of that run immediately.
    ///
    /// The value isn't decoded here. A large one that is in the stage isn't read: it is copied there, and the manifest of the
    /// next run has its digest. The value of a short run of the local runner is in memory. The functions may be of different
    /// components. Arguments after the first are bound by [`FunctionHandle::bind_rest`].
    ///
    /// If this run fails, the next one doesn't start, and fails with the same error, which names this run. The handle of the
    /// next run owns this one: dropping or [cancelling](Self::cancel) it cancels both. [Detaching](Self::detach) it waits until this run has
    /// ended and the next one has started. An [attached](crate::Submitter::attach) run is removed, if it has no other owner,
    /// once its value is staged for the next run.
    ///
    /// ```no_run
    /// #[hype::function]
    /// fn train(words: Vec<String>) -> hype::Bytes {
    /// #    hype::Bytes(words.concat().into_bytes())
    ///     // ..
    /// }
    ///
    /// #[hype::function]
    /// fn test(model: hype::Bytes, rounds: u32) -> f64 {
    /// #    let _ = (model, rounds); 0.5
    ///     // ..
    /// }
    ///
    /// # async fn run(submitter: hype::Submitter, words: Vec<String>) -> hype::Result<()> {
    /// let env = hype::RunEnvironment::new();
    /// let model = submitter.spawn(train(words), &env.with_request("memory", "8Gi"));
    /// let score = model.then(test::HANDLE.bind_rest((100,)), &env).wait().await?;
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    ///
    /// A function of another type doesn't compile:
    ///
    /// ```compile_fail,E0308
    /// #[hype::function]
    /// fn length(text: String) -> u64 { text.len() as u64 }
    ///
    /// fn chain(run: hype::Run<u32>, env: &hype::RunEnvironment) -> hype::Run<u64> {
    ///     run.then(length::HANDLE, env)
    /// }
    /// # fn main() {}
    /// ```
    pub fn then<U>(self, next: FunctionHandle<(T,), U>, env: &RunEnvironment) -> Run<U> {
        let (parts, submitter) = self.into_parts();
        parts.state.send_replace(HandleState::Chained);
        submitter.spawn_next(parts, next.open_call(1), env)
    }
}
