//! A local runner between whose steps somebody else comes.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use hype::runner::{Attempt, Description, Proof, Runner, Voucher};
use hype::{LocalRunner, Result};

use crate::around::Around;

type Before = dyn Fn(&Attempt) -> Result<()> + Send + Sync;

/// A [`LocalRunner`] with what happens before and after each attempt.
pub struct Disturbed {
    runner: LocalRunner,
    before: Box<Before>,
    after: Arc<dyn Fn(&str) + Send + Sync>,
    forgets_keys: bool,
}

impl Disturbed {
    /// One that nobody disturbs.
    pub fn new() -> Result<Self> {
        let (before, after) = (Box::new(|_: &_| Ok(())), Arc::new(|_: &_| {}));
        Ok(Self { runner: LocalRunner::new()?, before, after, forgets_keys: false })
    }

    /// Does `step` with each attempt before it starts. On an error it doesn't.
    pub fn before(self, step: impl Fn(&Attempt) -> Result<()> + Send + Sync + 'static) -> Self {
        Self { before: Box::new(step), ..self }
    }

    /// Does `step` with the name of each run when an attempt at it has ended.
    pub fn after(self, step: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { after: Arc::new(step), ..self }
    }

    /// Knows no run's key, as a process that did not begin the run.
    pub fn without_keys(self) -> Self {
        Self { forgets_keys: true, ..self }
    }
}

impl fmt::Debug for Disturbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disturbed")
    }
}

impl Around for Disturbed {
    fn inner(&self) -> &dyn Runner {
        &self.runner
    }

    fn description(&self) -> Description {
        Description { place: "where somebody disturbs".to_owned(), outlives_program: false }
    }

    fn run(&self, mut attempt: Attempt) -> BoxFuture<'static, Result<Voucher>> {
        // Somebody may have altered the one in the stage, as for a runner elsewhere.
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
