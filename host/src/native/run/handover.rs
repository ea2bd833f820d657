//! Whether a run still needs the program that began it.

use std::sync::Arc;

use tokio::sync::watch;

/// By this a runner says that an attempt goes on without the program that began it. Clones are one.
#[derive(Debug, Clone)]
pub struct Handover(Arc<watch::Sender<Need>>);

/// What a run needs of the program that began it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It is being staged, or handed to the runner.
    Program,
    /// The runner has all that it takes.
    Nothing,
    /// It has ended, and there is an outcome.
    Collecting,
    /// It has ended without an outcome.
    Failed,
}

impl Handover {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Need::Program)))
    }

    /// Says that the attempt goes on even if this process is killed now.
    pub fn done(&self) {
        self.change(Need::Nothing);
    }

    pub(crate) fn change(&self, need: Need) {
        self.0.send_replace(need);
    }

    /// What the run needs once it needs no more than to be collected, or has failed.
    pub(crate) async fn finished(&self) -> Need {
        let mut need = self.0.subscribe();
        match need.wait_for(|need| *need != Need::Program).await {
            Ok(need) => *need,
            // It can't be: the sender is ours.
            Err(_) => Need::Failed,
        }
    }
}
