//! Runners: how and where `hype-run` is started. Also the parts of which another runner is built.

#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod default_images;
#[cfg(feature = "docker")]
mod docker;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod endpoints;
#[cfg(feature = "local")]
mod host_mounts;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod labels;
#[cfg(feature = "local")]
mod local;
mod lost;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod make;
mod process;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod quantity;
pub(crate) mod run_place;
#[cfg(any(feature = "local", feature = "docker"))]
mod secrets;
mod verdict;
#[cfg(feature = "local")]
mod volume_owner;
#[cfg(feature = "local")]
mod volumes;

#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(crate) use default_images::DefaultImages;
#[cfg(feature = "docker")]
pub use docker::DockerRunner;
#[cfg(feature = "local")]
pub use host_mounts::HostMounts;
#[cfg(feature = "kubernetes")]
pub use kubernetes::{Graces, KubernetesRunner};
#[cfg(feature = "local")]
pub use local::{LocalRunner, check_commands};

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use hype_stage::Removal;
pub use hype_wire::{Access, Mount, RunKey, TerminationLine};
use hype_wire::{Digest, RunManifest};

pub use hype_wire::launch;

pub use self::process::Process;
pub use self::verdict::{Advice, ProcessEnd, ProcessExit, Subject};
pub use crate::cleanup::owned::Owned;
pub use crate::run::handover::Handover;
pub use crate::run::log::Log;

use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::run::keys;
use crate::run::known;

/// One try at a run. All else stands in the manifest.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// The run's name.
    pub run_id: String,
    /// Which try it is, counted from 1.
    pub number: u32,
    /// The function's name, for a person.
    pub function: String,
    /// The component's name, for a person.
    pub component: String,
    /// The URL of the stage.
    pub stage_url: String,
    /// The URL of the manifest.
    pub manifest_url: String,
    /// The manifest's digest, to be handed to the runner process by a way that is trusted.
    pub manifest_digest: Digest,
    /// The manifest itself, its job and its call, for a runner in this process; without it, the runner reads the
    /// one in the stage.
    pub manifest: Option<Arc<RunManifest>>,
    /// The container image of the [`Plan`].
    pub image: Option<String>,
    /// The environment.
    pub env: RunEnvironment,
    /// What the runner process seals its outcome with. It goes to that process by a way that is
    /// trusted and that the closure can't look at.
    pub key: RunKey,
    /// A secret for the runner process alone, by which it reaches the stage.
    pub stage_secret: Option<StageSecret>,
    /// How many bytes of staged files the runner process writes to its disk.
    pub disk: u64,
    /// Where the closure's output goes.
    pub log: Log,
    /// What the run makes outside this process; the runner enters what it makes for it, before. What
    /// it starts must not hold this: it is removed when the last handle goes.
    pub owned: Owned,
    /// By this a runner whose runs [outlive the program](Description::outlives_program) says that this attempt does from
    /// now on.
    pub handover: Handover,
}

/// A secret that the runner process reaches the stage with, and that the closure doesn't see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageSecret {
    /// Its name.
    pub name: String,
    /// Where the runner process finds its files, an absolute path.
    pub path: String,
}

/// Who vouches for the outcome of an attempt that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voucher {
    /// The line that the runner process left, read where nobody else could write it.
    Line(TerminationLine),
    /// The run's key: the runner process says that it left an outcome, which must be sealed with it.
    Key,
    /// The line of a runner process that was being stopped, for this reason: if the outcome says that
    /// it was interrupted, that is why.
    Stopped(TerminationLine, String),
}

/// A runner in words and facts that never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Where it runs things, for messages: `in this process`.
    pub place: String,
    /// Whether its runs go on when the process that began them is gone. If so, [`Runner::run`] says by
    /// [`Attempt::handover`] from when on that is.
    pub outlives_program: bool,
}

/// A run that a runner plans, before anything is made or uploaded for it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PlanRequest<'a> {
    /// The URL of the stage.
    pub stage_url: &'a str,
    /// The environment.
    pub env: &'a RunEnvironment,
    /// The container image that the closure names, or else the environment.
    pub image: Option<&'a str>,
}

/// How a runner will run something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The container image; `None` where there are no images.
    pub image: Option<String>,
    /// The platform whose machine code is wanted, as `hype-run` names it; `None` where `hype-run`
    /// compiles for itself.
    pub platform: Option<String>,
    /// The place that the manifest names for attaching programs, which hand it to
    /// [`Runner::looks_in`]; `None` for runs inside this process, which end with it.
    pub place: Option<String>,
}

impl Plan {
    /// Returns the plan of a run on this very machine, without an image and in no place that outlives this
    /// process.
    #[cfg(feature = "local")]
    pub fn on_this_machine() -> Self {
        let platform = hype_run::Platform::here().map(|platform| platform.name().to_owned());
        Self { platform, ..Self::default() }
    }
}

/// What vouches for an outcome that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The run's key, with which the outcome must be sealed.
    Key(RunKey),
    /// The line of the runner process, which has the outcome's digest.
    Line(TerminationLine),
}

impl Proof {
    /// Returns the key of a run that a submitter of this process began.
    pub fn of_this_process(run_id: &str) -> Option<Self> {
        keys::find(run_id).map(Self::Key)
    }
}

/// Returns whether a submitter of this process drives the run.
pub fn is_driven_here(run_id: &str) -> bool {
    known::find(run_id).is_some()
}

/// Starts `hype-run` on a manifest somewhere and waits for its end.
///
/// A runner that starts processes builds each from its attempt by [`Process::of`] and judges its end by
/// [`Subject::judge`].
pub trait Runner: std::fmt::Debug + Send + Sync + 'static {
    /// Describes the runner.
    fn description(&self) -> Description;

    /// Plans a run.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when what runs could not reach the stage,
    /// [`Runner`](crate::ErrorKind::Runner) when a server that must be asked can't be reached.
    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>>;

    /// Returns the mounts of `env` as `hype-run` will find them. Registers what is made for them and
    /// outlives the run with `owned`, the submitter's.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when one of them can't be had here.
    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        owned: &'a Owned,
    ) -> BoxFuture<'a, Result<Vec<Mount>>>;

    /// Runs `attempt` to its end and returns what vouches for its outcome. Dropping the future stops the
    /// run.
    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Voucher>>;

    /// Looks for runs in this place from now on, too, and returns whether it can. An attaching program found
    /// the place in the stage, and whoever can write there could have named it: what is found there may be
    /// waited for and removed, and vouches for nothing.
    fn looks_in(&self, place: &str) -> bool;

    /// Returns whether something of this run, begun here or by another process, is still there and may leave
    /// an outcome.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when that can't be told now.
    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>>;

    /// Returns what vouches for the outcome of this run, begun here or by another process; `None` when nobody
    /// has it any more.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when that can't be told now.
    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>>;

    /// Returns why this run, begun here or by another process, left no outcome, where what it ran in tells;
    /// `None` where nothing of that is there.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when that can't be told now.
    fn failure<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>>;

    /// Writes to `log` what this run, begun by another process, writes, from its beginning to its end. When
    /// that ends or is dropped, [`Log::mark_truncated`] tells how much it was. A runner that can't writes
    /// nothing.
    fn follow(&self, run_id: &str, log: Log) -> BoxFuture<'static, ()>;

    /// Stops what is left of a run outside the stage and removes it: of one that was detached, whose owner is
    /// gone, or that somebody cancels. Of an orphan, whose owner is gone, transient volumes go, too, that no
    /// other of that owner's runs uses. What isn't there is no error.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when it is there and can't be removed.
    fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>>;

    /// Removes what submitters that are gone left outside the stage, and returns the names of it. What belongs
    /// to the runs `kept` stays: they were detached, and their outcome needs what vouches for it.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when it can't be listed or removed.
    fn collect<'a>(
        &'a self,
        removal: Removal,
        kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Vec<String>>>;
}
