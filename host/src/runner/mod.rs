//! Where runs run.

#[cfg(feature = "local")]
mod local;

#[cfg(feature = "local")]
pub use local::LocalRunner;

use futures::future::BoxFuture;
use hype_wire::{Digest, Mount, TerminationLine};

use crate::environment::RunEnvironment;
use crate::error::Result;

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
}

/// Starts `hype-run` on a manifest somewhere and waits for its end.
pub trait Runner: std::fmt::Debug + Send + Sync + 'static {
    /// Where it runs things, for messages: `in this process`.
    fn place(&self) -> String;

    /// The platform whose machine code runs in `env`, as `hype-run` names it; none where it will
    /// compile for itself.
    fn platform(&self, env: &RunEnvironment) -> Option<String>;

    /// The mounts of `env` as `hype-run` will find them.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when one of them can't be had here.
    fn mounts(&self, env: &RunEnvironment) -> Result<Vec<Mount>>;

    /// Runs `attempt` to its end, and gives the line by which the outcome is known. Dropping the
    /// future stops the run.
    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<TerminationLine>>;
}
