//! One execution of a closure, in the hands of whoever started it.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use futures::Stream;
use serde::de::DeserializeOwned;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use crate::detach::DetachError;
use crate::driver::Fate;
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::log::{Log, LogLine};
use crate::mount::VolumeRequest;
use crate::owned::Owned;
use crate::submitter::Submitter;
use crate::value;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// What it needs is being put into the stage.
    Staging,
    /// The runner has it; which attempt it is, counted from 1.
    Running(u32),
    /// It came to an end, whatever that is.
    Ended,
}

/// A run that goes on by itself until its value is waited for.
///
/// Dropping it cancels the run, unless it was [detached](Self::detach).
#[must_use = "dropping a run cancels it"]
pub struct Run<T> {
    id: String,
    function: String,
    status: watch::Receiver<Status>,
    log: Log,
    ended: oneshot::Receiver<Result<Bytes>>,
    owned: Option<Owned>,
    lease: Lease,
    fate: watch::Sender<Fate>,
    /// A volume that goes with the submitter.
    transient_volume: Option<VolumeRequest>,
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
    pub(crate) owned: Owned,
    pub(crate) lease: Lease,
    pub(crate) fate: watch::Sender<Fate>,
    pub(crate) transient_volume: Option<VolumeRequest>,
}

impl<T> Run<T> {
    pub(crate) fn new(parts: Parts, submitter: Submitter) -> Self {
        Self {
            id: parts.id,
            function: parts.function,
            status: parts.status,
            log: parts.log,
            ended: parts.ended,
            driver: Driver { abort: Some(parts.abort), _submitter: submitter },
            owned: Some(parts.owned),
            lease: parts.lease,
            fate: parts.fate,
            transient_volume: parts.transient_volume,
            value: PhantomData,
        }
    }

    /// The run's name, by which another process can [attach](Submitter::attach) to it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// What the closure writes to its standard output and error, line by line: first what it wrote
    /// so far, then each line as it comes, until the run ends.
    pub fn logs(&self) -> impl Stream<Item = LogLine> + Send + Unpin + use<T> {
        Box::pin(self.log.follow())
    }

    /// Stops the run and removes what it made.
    ///
    /// # Errors
    ///
    /// When something of it could not be removed.
    pub async fn cancel(mut self) -> Result<()> {
        self.driver.stop();
        // The task lets go of what it holds before this channel closes.
        let _ = (&mut self.ended).await;
        match self.owned.take() {
            Some(owned) => owned.remove().await,
            None => Ok(()),
        }
    }

    /// Lets the run go on without this handle, and gives its name. What it leaves stays in the
    /// stage until somebody [attaches](Submitter::attach) to it. A run in this process ends with its
    /// submitter, at the latest when the process does.
    ///
    /// # Errors
    ///
    /// When it uses a [transient volume](VolumeRequest::transient), which goes with its submitter. The
    /// error has the run, which goes on.
    pub fn detach(mut self) -> std::result::Result<String, DetachError<Self>> {
        if let Some(volume) = self.transient_volume.clone() {
            return Err(DetachError::of_transient_volume(&volume, self));
        }
        self.fate.send_replace(Fate::Detached);
        if let Some(owned) = self.owned.take() {
            owned.leave(self.lease.detach());
        }
        self.driver.abort = None;
        Ok(self.id.clone())
    }
}

impl<T: DeserializeOwned + 'static> Run<T> {
    /// Waits for the value. Dropping the future cancels the run.
    ///
    /// # Errors
    ///
    /// As [`Submitter::submit`].
    pub async fn wait(mut self) -> Result<T> {
        self.fate.send_replace(Fate::Wanted);
        let ended = (&mut self.ended).await;
        let bytes =
            ended.unwrap_or_else(|_| Err(Error::lost(&self.id, "its driver broke down")))?;
        value::decode(&self.function, bytes)
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
        write!(f, "Run({} {}, {:?})", self.function, self.id, self.status())
    }
}
