//! Handover of a run from the program that started it to its runner.

use std::sync::Arc;

use tokio::sync::watch;

/// The handover of a run: a runner calls [`done`](Self::done) once the attempt continues without the program that
/// started it. Clones share one state.
#[derive(Debug, Clone)]
pub struct Handover(Arc<watch::Sender<HandoverState>>);

/// The dependency of a run on the program that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandoverState {
    /// The run is being staged or started, and ends with the program.
    NeedsProgram,
    /// The attempt continues without the program.
    HandedOver,
    /// The run has ended, and its outcome can be collected.
    Collectable,
    /// The run has ended without an outcome.
    Failed,
}

impl Handover {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(HandoverState::NeedsProgram)))
    }

    /// Reports that the attempt continues even if this process is killed now.
    pub fn done(&self) {
        self.set(HandoverState::HandedOver);
    }

    pub(crate) fn set(&self, state: HandoverState) {
        self.0.send_replace(state);
    }

    /// Waits until the run doesn't need the program any more, and returns the state.
    pub(crate) async fn wait(&self) -> HandoverState {
        let mut state = self.0.subscribe();
        match state.wait_for(|state| *state != HandoverState::NeedsProgram).await {
            Ok(state) => *state,
            // Unreachable, since `self` has the sender.
            Err(_) => HandoverState::Failed,
        }
    }
}
