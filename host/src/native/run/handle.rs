//! Handles of runs.

use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{FutureExt, Stream};
use hype_stage::LeakedInForks;
use serde::de::DeserializeOwned;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use crate::call::value;
use crate::cleanup::list::CleanupList;
use crate::environment::mount::VolumeRequest;
use crate::error::{Error, Result};
use crate::run::attach::Attachment;
use crate::run::chained::RunValue;
use crate::run::detach::{self, DetachError, Detaching};
use crate::run::driver::HandleState;
use crate::run::log::{Log, LogLine};
use crate::run::measured::Measured;
use crate::run::status::Status;
use crate::run::submitter::Submitter;

/// A handle of one execution of a closure, which continues in the background. [`Submitter::spawn`] and
/// [`Submitter::attach`] return it.
///
/// Dropping the handle cancels the run, unless the run was [detached](Self::detach) or the handle is
/// [attached](Submitter::attach) to it.
///
/// ```no_run
/// # async fn example(submitter: hype::Submitter, closure: hype::Closure<String>) -> hype::Result<()> {
/// let run = submitter.spawn(closure, &hype::RunEnvironment::new());
/// println!("{} is {:?}", run.id(), run.status());
/// println!("{}", run.wait().await?);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a run cancels it"]
pub struct Run<T> {
    parts: LeakedInForks<RunParts>,
    /// Dropped after the cleanup list in `parts`, since it keeps the submitter's thread alive, which runs the removals.
    driver: Driver,
    value: PhantomData<fn() -> T>,
}

/// The task that drives a run, which is stopped on drop, and its submitter.
struct Driver {
    abort: Option<AbortHandle>,
    submitter: Submitter,
}

/// The parts of a handle.
pub(crate) struct RunParts {
    pub(crate) id: String,
    pub(crate) function: String,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) log: Log,
    pub(crate) ended: oneshot::Receiver<Result<RunValue>>,
    pub(crate) abort: AbortHandle,
    pub(crate) state: watch::Sender<HandleState>,
    pub(crate) measured: Measured,
    pub(crate) ownership: Ownership,
}

/// The ownership of a run.
pub(crate) enum Ownership {
    /// This handle started the run.
    Owned {
        cleanup: CleanupList,
        detaching: Detaching,
        /// A mounted volume that is removed with the submitter.
        transient_volume: Option<VolumeRequest>,
        /// Whether the run's value has a WIT type.
        has_wit_types: bool,
    },
    /// Another handle started the run; its program may be gone.
    Attached(Attachment),
}

impl<T> Run<T> {
    pub(crate) fn new(parts: RunParts, submitter: Submitter) -> Self {
        let driver = Driver { abort: Some(parts.abort.clone()), submitter };
        Self { parts: LeakedInForks::new(parts), driver, value: PhantomData }
    }

    /// Splits the handle, without cancelling the run.
    pub(crate) fn into_parts(self) -> (RunParts, Submitter) {
        let Self { parts, mut driver, .. } = self;
        driver.abort = None;
        (parts.into_inner(), driver.submitter.clone())
    }

    /// Returns the run's name, by which another process can [attach](Submitter::attach) to it.
    ///
    /// ```
    /// fn name(run: &hype::Run<String>) -> String {
    ///     run.id().to_owned()
    /// }
    /// ```
    pub fn id(&self) -> &str {
        &self.parts.id
    }

    /// Returns the step that the run has reached.
    ///
    /// ```
    /// fn is_over(run: &hype::Run<String>) -> bool {
    ///     run.status() == hype::run::Status::Ended
    /// }
    /// ```
    pub fn status(&self) -> Status {
        *self.parts.status.borrow()
    }

    /// Returns a stream of the lines that the closure writes to its standard output and error: first those that it has
    /// written, then new lines until the run ends. Of a long log only the last 10,000 lines, or 16 MiB, are kept.
    ///
    /// ```
    /// use futures::StreamExt;
    ///
    /// async fn print(run: &hype::Run<String>) {
    ///     let mut lines = run.logs();
    ///     while let Some(line) = lines.next().await {
    ///         println!("{:?}: {}", line.stream, line.text);
    ///     }
    /// }
    /// ```
    pub fn logs(&self) -> impl Stream<Item = LogLine> + Send + Unpin + use<T> {
        Box::pin(self.parts.log.follow())
    }

    /// Stops the run, and removes everything that it created. A handle that is [attached](Submitter::attach) to the run
    /// can cancel it, too. If its first argument is the value of [another run](Self::then), that is stopped and removed
    /// as well.
    ///
    /// ```
    /// async fn stop(run: hype::Run<String>) -> hype::Result<()> {
    ///     run.cancel().await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the first failed removal, or [`Input`](crate::ErrorKind::Input) when the run runs inside another
    /// process.
    pub async fn cancel(mut self) -> Result<()> {
        self.driver.submitter.check_process()?;
        self.driver.stop();
        // The task drops everything that it holds before this channel closes.
        let _ = (&mut self.parts.ended).await;
        match &self.parts.ownership {
            Ownership::Owned { cleanup, .. } => cleanup.remove().await,
            Ownership::Attached(attachment) => attachment.cancel().await,
        }
    }

    /// Detaches the run, so that it continues without this program. Returns its name once it is staged and its
    /// container or Pod has started. The outcome is kept in the stage until a program [attaches](Submitter::attach) to
    /// the run.
    ///
    /// Detaching starts with this call and continues even if the future is dropped: [`Submitter::close`], the drop of
    /// the submitter and the end of [`main`](crate::main) wait for it. A program that receives a signal to end before
    /// that removes the run.
    ///
    /// A run in this process can't outlive it: the name is returned once the stage has the run, and a warning is logged.
    /// Retries need this program, too: a detached attempt that is lost after its end is not retried.
    ///
    /// ```
    /// async fn detach(run: hype::Run<String>) -> hype::Result<String> {
    ///     Ok(run.detach().await?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of staging or starting the run, [`Stage`](crate::ErrorKind::Stage) when the stage can't record that
    /// the run is detached, or [`Input`](crate::ErrorKind::Input) when it uses a [transient
    /// volume](VolumeRequest::transient). The error contains the run, which is unchanged.
    pub fn detach(
        mut self,
    ) -> impl Future<Output = std::result::Result<String, DetachError<Self>>> + Send + 'static
    where
        T: 'static,
    {
        let begin = |()| match &self.parts.ownership {
            // This process doesn't own it.
            Ownership::Attached(_) => Ok(None),
            Ownership::Owned { transient_volume: Some(volume), .. } => {
                Err(DetachError::of_transient_volume(volume))
            }
            Ownership::Owned { cleanup, detaching, transient_volume: None, .. } => {
                let (state, abort) = (self.parts.state.clone(), self.parts.abort.clone());
                Ok(Some(detach::start(cleanup, detaching, state, abort)))
            }
        };
        let begun = self.driver.submitter.check_process().and_then(begin);
        if matches!(begun, Ok(Some(_))) {
            self.driver.abort = None;
        }
        async move {
            let detached = match begun {
                Ok(None) => return Ok(self.parts.id.clone()),
                Ok(Some(detached)) => detached.await,
                Err(refusal) => return Err(DetachError::new(refusal, self)),
            };
            let error = match detached {
                Ok(Ok(())) => return Ok(self.parts.id.clone()),
                Ok(Err(Some(error))) => error,
                Ok(Err(None)) => self.take_failure().await,
                Err(_) => Error::lost(&self.parts.id, "the program received a signal to end"),
            };
            self.driver.abort = Some(self.parts.abort.clone());
            Err(DetachError::new(error, self))
        }
    }

    /// Returns the measurements of a run that this handle started.
    pub(crate) fn measured(&self) -> Measured {
        self.parts.measured.clone()
    }

    /// Waits for the encoded value of a run that this handle started.
    pub(crate) async fn into_bytes(mut self) -> Result<Bytes> {
        self.parts.state.send_replace(HandleState::Awaited);
        std::future::poll_fn(|context| self.poll_ended(context)).await
    }

    /// Returns the encoded value of a run that this handle started, once. It must not be called again after that.
    pub(crate) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes>> {
        self.driver.submitter.check_process()?;
        let ended = ready!(self.parts.ended.poll_unpin(context));
        let id = &self.parts.id;
        let value = ended.unwrap_or_else(|_| Err(Error::lost(id, "its driver panicked")));
        Poll::Ready(value.and_then(|value| value.into_bytes(id)))
    }

    /// Returns the error of a run that has ended with one. A later [`wait`](Self::wait) returns it, too.
    async fn take_failure(&mut self) -> Error {
        self.parts.state.send_replace(HandleState::Awaited);
        let ended = (&mut self.parts.ended).await;
        let error = match ended {
            Ok(Err(error)) => error,
            _ => Error::lost(&self.parts.id, "its driver panicked"),
        };
        let (sender, ended) = oneshot::channel();
        // The receiver exists.
        let _ = sender.send(Err(error.duplicate()));
        self.parts.ended = ended;
        error
    }
}

impl<T: DeserializeOwned + 'static> Run<T> {
    /// Waits for the value, and returns it. Dropping the future cancels the run, unless the handle is
    /// [attached](Submitter::attach) to it.
    ///
    /// ```
    /// async fn value(run: hype::Run<String>) -> hype::Result<String> {
    ///     run.wait().await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`Submitter::submit`].
    pub async fn wait(mut self) -> Result<T> {
        self.driver.submitter.check_process()?;
        self.parts.state.send_replace(HandleState::Awaited);
        let ended = (&mut self.parts.ended).await;
        let id = &self.parts.id;
        let ended = ended.unwrap_or_else(|_| Err(Error::lost(id, "its driver panicked")));
        let bytes = match ended.and_then(|value| value.into_bytes(id)) {
            Ok(bytes) => bytes,
            Err(error) => {
                if let (Ownership::Attached(attachment), Some(_)) =
                    (&self.parts.ownership, error.failure())
                {
                    attachment.settle().await;
                }
                return Err(error);
            }
        };
        if let Ownership::Attached(attachment) = &self.parts.ownership {
            // The value is decoded again below, since it may not be `Send` and so cannot be held across the await.
            self.decode(bytes.clone())?;
            attachment.settle().await;
        }
        self.decode(bytes)
    }

    fn decode(&self, bytes: Bytes) -> Result<T> {
        let RunParts { id, function, .. } = &*self.parts;
        match &self.parts.ownership {
            Ownership::Owned { has_wit_types: true, .. } => value::decode_wit(function, bytes),
            Ownership::Owned { .. } => value::decode(function, bytes),
            Ownership::Attached(_) => value::decode_attached(id, bytes),
        }
    }
}

impl Driver {
    /// Stops the run, except in a fork of its process.
    fn stop(&mut self) {
        if let Some(abort) = self.abort.take() {
            match self.submitter.check_process() {
                Ok(()) => abort.abort(),
                Err(_) => std::mem::forget(abort),
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<T> fmt::Debug for Run<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({} {}, {:?})", self.parts.function, self.parts.id, self.status())
    }
}
