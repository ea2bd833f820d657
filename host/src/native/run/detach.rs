//! Detaching of runs, so that they continue without the program that started them.

use std::fmt;

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use crate::cleanup::list::CleanupList;
use crate::environment::mount::VolumeRequest;
use crate::error::Error;
use crate::run::driver::HandleState;
use crate::run::handover::{Handover, HandoverState};
use crate::run::lease::Lease;

/// The parts of a run that are needed to detach it.
#[derive(Clone)]
pub(crate) struct Detaching {
    pub(crate) run_id: String,
    pub(crate) handover: Handover,
    pub(crate) lease: Lease,
    /// Whether runs of the runner continue after this program ends.
    pub(crate) outlives_program: bool,
    /// The description of the runner's place in messages: `in Docker`.
    pub(crate) place: String,
}

/// The result of detaching. `Err(None)` means that the run has ended with an error, which its driver returns.
type DetachResult = Result<(), Option<Error>>;

/// Starts detaching a run on the submitter's thread. It continues even if the receiver is dropped; if it fails then,
/// the run is cancelled.
pub(crate) fn start(
    cleanup: &CleanupList,
    detaching: &Detaching,
    handle_state: watch::Sender<HandleState>,
    abort: AbortHandle,
) -> oneshot::Receiver<DetachResult> {
    let Detaching { run_id, outlives_program, place, .. } = detaching;
    let (result_sender, result) = oneshot::channel();
    if !outlives_program {
        tracing::warn!(
            "{run_id} runs {place} and ends with it, though it is detached; Submitter::docker() and \
             Submitter::kubernetes() run what outlives a program"
        );
        let notice = format!("{run_id} was detached, and ends with this program");
        cleanup.register_action(async move {
            tracing::warn!("{notice}");
            Ok(())
        });
        // Marked before this function returns, so that an attachment right after it removes the run.
        detaching.lease.mark_detached();
        handle_state.send_replace(HandleState::Detached);
        let (what, lease) =
            (format!("until the stage knows that {run_id} is detached"), detaching.lease.clone());
        cleanup.finish(what, async move {
            if let Err(error) = lease.detach().await {
                tracing::warn!(
                    "the stage does not know that a run is detached: {}",
                    error.report()
                );
            }
            // The receiver may be gone.
            let _ = result_sender.send(Ok(()));
        });
        return result;
    }
    let what =
        format!("until {run_id}, which is being detached, goes on {place} without this program");
    let (run_cleanup, detaching) = (cleanup.clone(), detaching.clone());
    cleanup.finish(what, async move {
        let detached = detaching.hand_over().await;
        if detached.is_ok() {
            run_cleanup.abandon();
            handle_state.send_replace(HandleState::Detached);
        }
        // A failed send means that the receiver was dropped.
        if let Err(Err(error)) = result_sender.send(detached) {
            let error = error.map(|error| error.report()).unwrap_or_default();
            tracing::warn!("{} could not be detached, and is cancelled: {error}", detaching.run_id);
            abort.abort();
        }
    });
    result
}

impl Detaching {
    /// Waits until the run doesn't need this program any more, and records in the stage that it is detached.
    async fn hand_over(&self) -> DetachResult {
        match self.handover.wait().await {
            HandoverState::NeedsProgram | HandoverState::Failed => Err(None),
            HandoverState::HandedOver | HandoverState::Collectable => {
                self.lease.detach().await.map_err(|error| {
                    let hint = "the run continues, and is not detached: DetachError::into_run \
                                returns it";
                    let message = format!("{} cannot be detached", self.run_id);
                    Some(Error::stage(message, error).hint(hint))
                })
            }
        }
    }
}

/// The error of a run that could not be detached. It contains the run, which is unchanged. Converting it into an
/// [`Error`] drops the run, which cancels it.
///
/// ```
/// async fn detach_or_wait(run: hype::Run<String>) -> hype::Result<String> {
///     match run.detach().await {
///         Ok(id) => Ok(format!("detached {id}")),
///         Err(refused) => {
///             eprintln!("{}", refused.error());
///             refused.into_run().wait().await
///         }
///     }
/// }
/// ```
pub struct DetachError<R> {
    error: Error,
    run: Box<R>,
}

impl DetachError<()> {
    /// Returns the error of a run that uses a transient volume, which would be removed with the submitter.
    pub(crate) fn of_transient_volume(volume: &VolumeRequest) -> Error {
        let name = volume.name();
        let what = format!("a run on the transient volume {name} cannot be detached");
        Error::input(what)
            .because("the volume is removed when its submitter closes, while the run needs it")
            .hint("use VolumeRequest::persistent, or wait for the run")
    }
}

impl<R> DetachError<R> {
    pub(crate) fn new(error: Error, run: R) -> Self {
        Self { error, run: Box::new(run) }
    }

    /// Returns the error.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Returns the run, which is unchanged.
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
