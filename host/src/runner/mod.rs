//! Where runs run.

#[cfg(feature = "local")]
mod local;
#[cfg(feature = "local")]
mod volumes;

#[cfg(feature = "local")]
pub use local::LocalRunner;

use futures::future::BoxFuture;
use hype_wire::{Digest, Mount, RunKey, TerminationLine};

use crate::environment::RunEnvironment;
use crate::error::Result;
use crate::keys;
use crate::known;
use crate::log::Log;
use crate::owned::Owned;

/// One try at a run, as a runner is told of it. All else stands in the manifest.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The run's name.
    pub run_id: String,
    /// Which try it is, counted from 1.
    pub number: u32,
    /// Where the manifest stands.
    pub manifest_url: String,
    /// The manifest's digest, to be handed to the runner process by a way that is trusted.
    pub manifest_digest: Digest,
    /// The container image, if the closure or the environment names one.
    pub image: Option<String>,
    /// The environment.
    pub env: RunEnvironment,
    /// What the runner process seals its outcome with. It goes to that process by a way that is
    /// trusted and that the closure can't look at.
    pub key: RunKey,
    /// Where the closure's output goes.
    pub log: Log,
    /// What the run makes outside this process; the runner enters what it makes for it, before. What
    /// it starts must not hold this: it is removed when the last handle goes.
    pub owned: Owned,
}

/// Starts `hype-run` on a manifest somewhere and waits for its end.
pub trait Runner: std::fmt::Debug + Send + Sync + 'static {
    /// Where it runs things, for messages: `in this process`.
    fn place(&self) -> String;

    /// The platform whose machine code runs in `env`, as `hype-run` names it; none where it will
    /// compile for itself.
    fn platform(&self, env: &RunEnvironment) -> Option<String>;

    /// The mounts of `env` as `hype-run` will find them. What is made for them and outlives the run
    /// is entered into `owned`, the submitter's.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when one of them can't be had here.
    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        owned: &'a Owned,
    ) -> BoxFuture<'a, Result<Vec<Mount>>>;

    /// Runs `attempt` to its end, and gives the line by which the outcome is known. Dropping the
    /// future stops the run.
    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<TerminationLine>>;

    /// Whether something of this run, begun here or by another process, is still there and may leave an
    /// outcome. A runner whose runs may outlive the process that began them must be able to tell.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when that can't be told now.
    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(std::future::ready(Ok(known::find(run_id).is_some())))
    }

    /// The key of this run, begun here or by another process; none when nobody has it any more. A runner
    /// that keeps keys where other processes find them looks there.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when that can't be told now.
    fn key<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<RunKey>>> {
        Box::pin(std::future::ready(Ok(keys::find(run_id))))
    }
}
