//! A local runner that tampers with runs.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use hype::runner::{Attempt, Completion, Description, Proof, Runner};
use hype::{LocalRunner, Result};

use crate::overridden::RunnerOverrides;

type Before = dyn Fn(&Attempt) -> Result<()> + Send + Sync;

/// A [`LocalRunner`] with hooks before and after each attempt. Its runs are in the stage.
pub struct TamperingRunner {
    runner: LocalRunner,
    before: Box<Before>,
    after: Arc<dyn Fn(&str) + Send + Sync>,
    forgets_keys: bool,
}

impl TamperingRunner {
    /// Creates a runner without hooks.
    pub fn new() -> Result<Self> {
        let (before, after) = (Box::new(|_: &_| Ok(())), Arc::new(|_: &_| {}));
        let runner = LocalRunner::new()?.with_staged_runs()?;
        Ok(Self { runner, before, after, forgets_keys: false })
    }

    /// Calls `step` before each attempt. An error of `step` becomes the attempt's error.
    pub fn before(self, step: impl Fn(&Attempt) -> Result<()> + Send + Sync + 'static) -> Self {
        Self { before: Box::new(step), ..self }
    }

    /// Calls `step` with the run's id after each attempt.
    pub fn after(self, step: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { after: Arc::new(step), ..self }
    }

    /// Makes the runner forget the keys of runs, like a process that did not begin them.
    pub fn without_keys(self) -> Self {
        Self { forgets_keys: true, ..self }
    }
}

impl fmt::Debug for TamperingRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TamperingRunner")
    }
}

impl RunnerOverrides for TamperingRunner {
    fn inner(&self) -> &dyn Runner {
        &self.runner
    }

    fn description(&self) -> Description {
        Description { location: "a tampering runner".to_owned(), outlives_program: false }
    }

    fn run(&self, mut attempt: Attempt) -> BoxFuture<'static, Result<Completion>> {
        // Makes the runner read the manifest from the stage, which a hook may have altered.
        attempt.manifest = None;
        if let Err(error) = (self.before)(&attempt) {
            return Box::pin(std::future::ready(Err(error)));
        }
        let (run_id, after) = (attempt.run_id.clone(), Arc::clone(&self.after));
        let run = self.runner.run(attempt);
        Box::pin(async move {
            let voucher = run.await?;
            after(&run_id);
            Ok(voucher)
        })
    }

    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        match self.forgets_keys {
            true => Box::pin(std::future::ready(Ok(None))),
            false => self.runner.proof(run_id),
        }
    }
}
