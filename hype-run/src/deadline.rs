//! The end of a guest's time, and of its runner's: noticed while it computes, and while it waits
//! for the host.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hype_wire::{Failure, FailureKind};
use tokio_util::sync::CancellationToken;
use wasmtime::{Engine, Store, UpdateDeadline};

/// How often a guest that computes lets others run and looks at the clock.
const TICK: Duration = Duration::from_millis(10);

/// How much longer a guest that waits in the host is left alone, so that one that computes is
/// stopped by its own look at the clock, which knows where it was.
const GRACE: Duration = Duration::from_millis(100);

/// The error that a guest is stopped with when its time is over.
#[derive(Debug)]
pub(crate) struct DeadlineExceeded;

impl fmt::Display for DeadlineExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline is over")
    }
}

impl std::error::Error for DeadlineExceeded {}

/// The error that a guest is stopped with when the runner is told to stop.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runner was told to stop")
    }
}

impl std::error::Error for Interrupted {}

/// The failure of a run that was interrupted.
pub(crate) fn interrupted() -> Failure {
    Failure::from_error(FailureKind::Interrupted, &Interrupted)
}

/// Makes the guest of `store` yield at each tick, and stop at the first one after `deadline`, or
/// once `interrupt` is cancelled.
pub(crate) fn watch<T>(
    store: &mut Store<T>,
    deadline: Option<Instant>,
    interrupt: CancellationToken,
) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if interrupt.is_cancelled() {
            Err(Interrupted.into())
        } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Err(DeadlineExceeded.into())
        } else {
            Ok(UpdateDeadline::Yield(1))
        }
    });
}

/// Waits for `attempt`, and not much longer than until `interrupt` is cancelled.
pub(crate) async fn unless_interrupted<T>(
    interrupt: &CancellationToken,
    attempt: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        ended = attempt => ended,
        () = async {
            interrupt.cancelled().await;
            tokio::time::sleep(GRACE).await;
        } => Err(interrupted()),
    }
}

/// Waits for `guest`, and not much longer than to `deadline`.
pub(crate) async fn within<T>(
    deadline: Option<Instant>,
    guest: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    match deadline {
        None => guest.await,
        Some(deadline) => tokio::time::timeout_at((deadline + GRACE).into(), guest)
            .await
            .unwrap_or_else(|_| Err(DeadlineExceeded.into())),
    }
}

/// Makes an engine's guests look at the clock, while there are any, with a thread that runs its [`Ticks`].
#[derive(Debug, Default)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
}

/// What that thread does until the ticker is gone.
pub(crate) struct Ticks {
    shared: Arc<Shared>,
    engine: Engine,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    guests: usize,
    /// There was no guest, and the thread waits for one.
    idle: bool,
    stopped: bool,
}

/// A guest that needs ticks; dropping it says that it is gone.
#[derive(Debug)]
pub(crate) struct Ticking<'a>(&'a Shared);

impl Ticker {
    /// The ticks of `engine`.
    pub(crate) fn ticks(&self, engine: Engine) -> Ticks {
        Ticks { shared: Arc::clone(&self.shared), engine }
    }

    /// Ticks for one guest more, until what this gives is dropped.
    pub(crate) fn tick(&self) -> Ticking<'_> {
        let mut state = self.shared.lock();
        state.guests += 1;
        // Guests may come by the thousand a second, and a thread that ticks already needs no waking.
        if std::mem::take(&mut state.idle) {
            self.shared.changed.notify_one();
        }
        Ticking(&self.shared)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticks {
    pub(crate) fn run(self) {
        let Self { shared, engine } = self;
        let mut state = shared.lock();
        while !state.stopped {
            if state.guests == 0 {
                state.idle = true;
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = shared.changed.wait_timeout(state, TICK);
            let (woken, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if waited.timed_out() {
                engine.increment_epoch();
            }
        }
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.lock().guests -= 1;
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_one();
    }
}
