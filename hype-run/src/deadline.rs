//! Deadlines and interruptions of guests, enforced while a guest computes and while it waits for the
//! host.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hype_wire::{Failure, FailureKind};
use tokio_util::sync::CancellationToken;
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::execution::Guest;

/// The interval at which a guest that computes yields to others and checks its deadline.
const TICK: Duration = Duration::from_millis(10);

/// The extra time after the deadline or an interruption before a call is stopped from outside. A guest that computes
/// is stopped before that by its own check, which records a backtrace.
const HOST_GRACE: Duration = Duration::from_millis(100);

/// The error that stops a guest at its deadline.
#[derive(Debug)]
pub(crate) struct DeadlineExceeded;

impl fmt::Display for DeadlineExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline has passed")
    }
}

impl std::error::Error for DeadlineExceeded {}

/// The error that stops a guest when its run is interrupted.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runner was stopped from outside")
    }
}

impl std::error::Error for Interrupted {}

/// Returns the failure of a run that was interrupted.
pub(crate) fn interrupted() -> Failure {
    Failure::from_error(FailureKind::Interrupted, &Interrupted)
}

/// Makes the guest of `store` yield at each tick, and stop at the first tick after `deadline`, after
/// `interrupt` is cancelled, or when the host holds more for it than its memory limit. Unchecked code has no ticks.
pub(crate) fn enforce(
    store: &mut Store<Guest>,
    deadline: Option<Instant>,
    interrupt: CancellationToken,
) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut store| {
        if interrupt.is_cancelled() {
            Err(Interrupted.into())
        } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Err(DeadlineExceeded.into())
        } else {
            store.data_mut().measure_held()?;
            Ok(UpdateDeadline::Yield(1))
        }
    });
}

/// Waits for `work`, which is no call of a guest, until shortly after `interrupt` is cancelled. Pin a large `work` before:
/// this future contains it twice otherwise.
pub(crate) async fn unless_interrupted<T>(
    interrupt: &CancellationToken,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        ended = work => ended,
        () = shortly_after(interrupt) => Err(interrupted()),
    }
}

/// Waits for `guest`, which is pinned like the work of [`unless_interrupted`], until shortly after `deadline` or after
/// `interrupt` is cancelled.
pub(crate) async fn within<T>(
    deadline: Option<Instant>,
    interrupt: &CancellationToken,
    guest: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    let guest = async {
        tokio::select! {
            biased;
            ended = guest => ended,
            () = shortly_after(interrupt) => Err(Interrupted.into()),
        }
    };
    match deadline {
        None => guest.await,
        Some(deadline) => tokio::time::timeout_at((deadline + HOST_GRACE).into(), guest)
            .await
            .unwrap_or_else(|_| Err(DeadlineExceeded.into())),
    }
}

/// Waits for `deadline`, or forever.
#[cfg(target_os = "linux")]
pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

async fn shortly_after(interrupt: &CancellationToken) {
    interrupt.cancelled().await;
    tokio::time::sleep(HOST_GRACE).await;
}

/// Counts the running guests of an engine. A thread that runs the engine's [`Ticks`] makes them check
/// their deadline.
#[derive(Debug, Default)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
}

/// The loop of the ticking thread. It ends when the ticker is dropped.
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
    /// Whether the thread waits for the first guest.
    is_idle: bool,
    is_stopped: bool,
}

/// A guard of a running guest, which needs ticks. Dropping it unregisters the guest.
#[derive(Debug)]
pub(crate) struct Ticking<'a>(&'a Shared);

impl Ticker {
    /// Returns the loop that ticks `engine`.
    pub(crate) fn ticks(&self, engine: Engine) -> Ticks {
        Ticks { shared: Arc::clone(&self.shared), engine }
    }

    /// Registers one more guest, until the returned guard is dropped.
    pub(crate) fn start(&self) -> Ticking<'_> {
        let mut state = self.shared.lock();
        state.guests += 1;
        // Thousands of guests may start each second, and a thread that already ticks needs no wake-up.
        if std::mem::take(&mut state.is_idle) {
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
        while !state.is_stopped {
            if state.guests == 0 {
                state.is_idle = true;
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
        self.shared.lock().is_stopped = true;
        self.shared.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn interruption_ends_guest_that_waits_for_the_host() {
        let interrupt = CancellationToken::new();
        let guest = within(None, &interrupt, std::future::pending::<wasmtime::Result<()>>());
        interrupt.cancel();
        let error =
            tokio::time::timeout(Duration::from_secs(60), guest).await.unwrap().unwrap_err();
        assert!(error.is::<Interrupted>(), "{error}");
    }
}
