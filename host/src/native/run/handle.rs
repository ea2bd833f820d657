//! One execution of a closure, in the hands of whoever started it or attached to it.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use futures::Stream;
use serde::de::DeserializeOwned;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use crate::call::value;
use crate::cleanup::owned::Owned;
use crate::environment::mount::VolumeRequest;
use crate::error::{Error, Result};
use crate::run::attach::Attachment;
use crate::run::detach::{self, DetachError, Detaching};
use crate::run::driver::Fate;
use crate::run::log::{Log, LogLine};
use crate::run::status::Status;
use crate::run::submitter::Submitter;

/// A run that goes on by itself until its value is waited for.
///
/// Dropping it cancels the run, unless it was [detached](Self::detach) or [attached to](Submitter::attach).
#[must_use = "dropping a run cancels it"]
pub struct Run<T> {
    parts: Parts,
    /// It goes after the list of what is to be removed, since with it goes who removes it.
    driver: Driver,
    value: PhantomData<fn() -> T>,
}

/// The task that drives a run; it stops when this is dropped. The submitter outlives it.
struct Driver {
    abort: Option<AbortHandle>,
    _submitter: Submitter,
}

/// What the submitter and the task that drives the run make of it.
pub(crate) struct Parts {
    pub(crate) id: String,
    pub(crate) function: String,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) log: Log,
    pub(crate) ended: oneshot::Receiver<Result<Bytes>>,
    pub(crate) abort: AbortHandle,
    pub(crate) fate: watch::Sender<Fate>,
    pub(crate) custody: Custody,
}

/// Whose the run is.
pub(crate) enum Custody {
    /// This handle's, with what it takes to detach it.
    Held {
        owned: Owned,
        detaching: Detaching,
        /// A volume that goes with the submitter.
        transient_volume: Option<VolumeRequest>,
    },
    /// Another's, who may be gone.
    Attached(Attachment),
}

impl<T> Run<T> {
    pub(crate) fn new(parts: Parts, submitter: Submitter) -> Self {
        let driver = Driver { abort: Some(parts.abort.clone()), _submitter: submitter };
        Self { parts, driver, value: PhantomData }
    }

    /// The run's name, by which another process can [attach](Submitter::attach) to it.
    pub fn id(&self) -> &str {
        &self.parts.id
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        *self.parts.status.borrow()
    }

    /// What the closure writes to its standard output and error, line by line: first what it wrote
    /// so far, then each line as it comes, until the run ends.
    pub fn logs(&self) -> impl Stream<Item = LogLine> + Send + Unpin + use<T> {
        Box::pin(self.parts.log.follow())
    }

    /// Stops the run and removes what it made, that of a run that was [attached to](Submitter::attach), too.
    ///
    /// # Errors
    ///
    /// When something of it could not be removed, or it runs inside another process.
    pub async fn cancel(mut self) -> Result<()> {
        self.driver.stop();
        // The task lets go of what it holds before this channel closes.
        let _ = (&mut self.parts.ended).await;
        match &self.parts.custody {
            Custody::Held { owned, .. } => owned.remove().await,
            Custody::Attached(attachment) => attachment.cancel().await,
        }
    }

    /// Lets the run go on without this handle, and gives its name once the run needs this program no more: what it
    /// takes is in the stage, and its container or Pod is there and started. What the run leaves stays in the stage
    /// until somebody [attaches](Submitter::attach) to it.
    ///
    /// The run is being detached from this call on, even if the future is dropped:
    /// [`Submitter::close`], the drop of the submitter and the end of [`main`](crate::main) wait for it. A program
    /// that is told to end before removes the run.
    ///
    /// A run in this process ends with it. There the name comes at once, with a warning.
    /// An attempt that ends early is followed by another only while this program is there.
    ///
    /// # Errors
    ///
    /// When the run couldn't be staged or started, when the stage can't be told that it is detached, or when it uses a
    /// [transient volume](VolumeRequest::transient), which goes with its submitter. The error has the run, which is as
    /// it was.
    pub fn detach(
        mut self,
    ) -> impl Future<Output = std::result::Result<String, DetachError<Self>>> + Send + 'static
    where
        T: 'static,
    {
        let begun = match &self.parts.custody {
            // It is nobody's in this process.
            Custody::Attached(_) => Ok(None),
            Custody::Held { transient_volume: Some(volume), .. } => {
                Err(DetachError::of_transient_volume(volume))
            }
            Custody::Held { owned, detaching, transient_volume: None } => {
                let (fate, abort) = (self.parts.fate.clone(), self.parts.abort.clone());
                Ok(Some(detach::begin(owned, detaching, fate, abort)))
            }
        };
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
                Err(_) => Error::lost(&self.parts.id, "the program was told to end"),
            };
            self.driver.abort = Some(self.parts.abort.clone());
            Err(DetachError::new(error, self))
        }
    }

    /// The error of a run that has ended with one. Who waits for the run is told it, too.
    async fn take_failure(&mut self) -> Error {
        self.parts.fate.send_replace(Fate::Wanted);
        let ended = (&mut self.parts.ended).await;
        let error = match ended {
            Ok(Err(error)) => error,
            _ => Error::lost(&self.parts.id, "its driver broke down"),
        };
        let (send, ended) = oneshot::channel();
        // The receiver is there.
        let _ = send.send(Err(error.again()));
        self.parts.ended = ended;
        error
    }
}

impl<T: DeserializeOwned + 'static> Run<T> {
    /// Waits for the value. Dropping the future cancels the run, unless it was
    /// [attached to](Submitter::attach): that one stays as it was.
    ///
    /// # Errors
    ///
    /// As [`Submitter::submit`].
    pub async fn wait(mut self) -> Result<T> {
        self.parts.fate.send_replace(Fate::Wanted);
        let ended = (&mut self.parts.ended).await;
        let id = &self.parts.id;
        let bytes = match ended.unwrap_or_else(|_| Err(Error::lost(id, "its driver broke down"))) {
            Ok(bytes) => bytes,
            Err(error) => {
                if let (Custody::Attached(attachment), Some(_)) =
                    (&self.parts.custody, error.failure())
                {
                    attachment.settle().await;
                }
                return Err(error);
            }
        };
        if let Custody::Attached(attachment) = &self.parts.custody {
            // Once more below, since a value may be one that can't be kept while others are waited for.
            self.decoded(bytes.clone())?;
            attachment.settle().await;
        }
        self.decoded(bytes)
    }

    fn decoded(&self, bytes: Bytes) -> Result<T> {
        let Parts { id, function, .. } = &self.parts;
        match &self.parts.custody {
            Custody::Held { .. } => value::decode(function, bytes),
            Custody::Attached(_) => value::decode_attached(id, bytes),
        }
    }
}

impl Driver {
    fn stop(&mut self) {
        if let Some(abort) = self.abort.take() {
            abort.abort();
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
