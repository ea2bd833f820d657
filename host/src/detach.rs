//! Why a run could not be detached.

use std::fmt;

use crate::error::Error;
use crate::mount::VolumeRequest;

/// Why a run could not be detached, and the run, which goes on. As an [`Error`] it lets go of the run,
/// which cancels it.
pub struct DetachError<R> {
    error: Error,
    run: Box<R>,
}

impl<R> DetachError<R> {
    /// Whoever lets a run go on by itself must not take away a volume that it uses.
    pub(crate) fn of_transient_volume(volume: &VolumeRequest, run: R) -> Self {
        let name = volume.name();
        let what = format!("a run on the transient volume {name} cannot be detached");
        let error = Error::input(what)
            .because("the volume goes when its submitter closes, and the run would lose it")
            .hint("use VolumeRequest::persistent, or wait for the run");
        Self { error, run: Box::new(run) }
    }

    /// What is wrong.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The run, as it was.
    pub fn into_run(self) -> R {
        *self.run
    }

    pub(crate) fn map_run<S>(self, change: impl FnOnce(R) -> S) -> DetachError<S> {
        DetachError { error: self.error, run: Box::new(change(*self.run)) }
    }
}

impl<R> From<DetachError<R>> for Error {
    fn from(refused: DetachError<R>) -> Self {
        refused.error
    }
}

impl<R> fmt::Display for DetachError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<R> fmt::Debug for DetachError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<R> std::error::Error for DetachError<R> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
