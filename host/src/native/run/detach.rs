//! How a run comes to go on without the program that began it, and why it could not.

use std::fmt;

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use crate::cleanup::owned::Owned;
use crate::environment::mount::VolumeRequest;
use crate::error::Error;
use crate::run::driver::Fate;
use crate::run::handover::{Handover, Need};
use crate::run::lease::Lease;

/// What it takes to detach a run.
#[derive(Clone)]
pub(crate) struct Detaching {
    pub(crate) run_id: String,
    pub(crate) handover: Handover,
    pub(crate) lease: Lease,
    /// Whether runs go on when this program is gone.
    pub(crate) outlives_program: bool,
    /// Where runs run, for messages.
    pub(crate) place: String,
}

/// Whether a run was detached. An error without a reason says that the run has ended with one.
type Detached = Result<(), Option<Error>>;

/// Begins to detach a run, on the submitter's thread. Whoever gives the receiver up leaves the run to that.
pub(crate) fn begin(
    owned: &Owned,
    detaching: &Detaching,
    fate: watch::Sender<Fate>,
    abort: AbortHandle,
) -> oneshot::Receiver<Detached> {
    let Detaching { run_id, outlives_program, place, .. } = detaching;
    let (tell, told) = oneshot::channel();
    if !outlives_program {
        tracing::warn!(
            "{run_id} runs {place} and ends with it, though it is detached; Submitter::docker() and \
             Submitter::kubernetes() run what outlives a program"
        );
        let notice = format!("{run_id} was detached, and ends with this program");
        owned.enter_action(async move {
            tracing::warn!("{notice}");
            Ok(())
        });
        // Known before this returns, so that an attachment that follows at once removes the run.
        detaching.lease.mark_detached();
        fate.send_replace(Fate::Detached);
        // The receiver is there.
        let _ = tell.send(Ok(()));
        let (what, lease) =
            (format!("until the stage knows that {run_id} is detached"), detaching.lease.clone());
        owned.finish(what, async move {
            if let Err(error) = lease.detach().await {
                tracing::warn!(
                    "the stage does not know that a run is detached: {}",
                    error.report()
                );
            }
        });
        return told;
    }
    let what =
        format!("until {run_id}, which is being detached, goes on {place} without this program");
    let (kept, detaching) = (owned.clone(), detaching.clone());
    owned.finish(what, async move {
        let detached = detaching.wait_and_tell().await;
        if detached.is_ok() {
            kept.leave();
            fate.send_replace(Fate::Detached);
        }
        // Nobody may be waiting any more.
        if let Err(Err(error)) = tell.send(detached) {
            let error = error.map(|error| error.report()).unwrap_or_default();
            tracing::warn!("{} could not be detached, and is cancelled: {error}", detaching.run_id);
            abort.abort();
        }
    });
    told
}

impl Detaching {
    async fn wait_and_tell(&self) -> Detached {
        match self.handover.finished().await {
            Need::Program | Need::Failed => Err(None),
            Need::Nothing | Need::Collecting => self.lease.detach().await.map_err(|error| {
                let hint = "the run goes on, and is not detached: DetachError::into_run has it";
                Some(Error::stage(format!("{} cannot be detached", self.run_id), error).hint(hint))
            }),
        }
    }
}

/// Why a run could not be detached, and the run, which is as it was. As an [`Error`] it lets go of the run,
/// which cancels it.
pub struct DetachError<R> {
    error: Error,
    run: Box<R>,
}

impl DetachError<()> {
    /// Whoever lets a run go on by itself must not take away a volume that it uses.
    pub(crate) fn of_transient_volume(volume: &VolumeRequest) -> Error {
        let name = volume.name();
        let what = format!("a run on the transient volume {name} cannot be detached");
        Error::input(what)
            .because("the volume goes when its submitter closes, and the run would lose it")
            .hint("use VolumeRequest::persistent, or wait for the run")
    }
}

impl<R> DetachError<R> {
    pub(crate) fn new(error: Error, run: R) -> Self {
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
