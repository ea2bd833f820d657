//! Where runs run.

#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod default_images;
#[cfg(feature = "docker")]
mod docker;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod endpoints;
#[cfg(feature = "kubernetes")]
mod kubernetes;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod labels;
#[cfg(feature = "local")]
mod local;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod lost;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod make;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod quantity;
pub(crate) mod run_place;
#[cfg(any(feature = "local", feature = "docker"))]
mod secrets;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod verdict;
#[cfg(feature = "local")]
mod volume_owner;
#[cfg(feature = "local")]
mod volumes;

#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(crate) use default_images::DefaultImages;
#[cfg(feature = "docker")]
pub use docker::DockerRunner;
#[cfg(feature = "kubernetes")]
pub use kubernetes::{Graces, KubernetesRunner};
#[cfg(feature = "local")]
pub use local::LocalRunner;

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use hype_stage::Removal;
use hype_wire::Digest;
pub use hype_wire::{Access, Mount, RunKey, TerminationLine};

pub use crate::cleanup::owned::Owned;
pub use crate::run::handover::Handover;
pub use crate::run::log::Log;

use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::run::keys;
use crate::run::known;

/// One try at a run, as a runner is told of it. All else stands in the manifest.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The run's name.
    pub run_id: String,
    /// Which try it is, counted from 1.
    pub number: u32,
    /// The function's name, for a person.
    pub function: String,
    /// The component's name, for a person.
    pub component: String,
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
    /// A secret for the runner process alone, by which it reaches the stage.
    pub stage_secret: Option<StageSecret>,
    /// How many bytes of staged files the runner process writes to its disk.
    pub disk: u64,
    /// Where the closure's output goes.
    pub log: Log,
    /// What the run makes outside this process; the runner enters what it makes for it, before. What
    /// it starts must not hold this: it is removed when the last handle goes.
    pub owned: Owned,
    /// By this a runner whose runs [outlive the program](Runner::outlives_program) says that this attempt does from
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

/// Starts `hype-run` on a manifest somewhere and waits for its end.
pub trait Runner: std::fmt::Debug + Send + Sync + 'static {
    /// Where it runs things, for messages: `in this process`.
    fn place(&self) -> String;

    /// The image that a run in `env` gets, whose closure names the image `named` or none; none where there are no images.
    fn image(&self, _named: Option<&str>, _env: &RunEnvironment) -> Option<String> {
        None
    }

    /// The platform whose machine code runs in `env`, as `hype-run` names it; none where it will
    /// compile for itself.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when whoever must be asked can't be reached.
    fn platform<'a>(&'a self, env: &'a RunEnvironment) -> BoxFuture<'a, Result<Option<String>>>;

    /// Makes sure that what runs in `env` reaches the stage at `url`. It is asked before anything is made or uploaded.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it can't reach that.
    fn check_stage<'a>(
        &'a self,
        _url: &'a str,
        _env: &'a RunEnvironment,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

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

    /// Runs `attempt` to its end, and says who vouches for its outcome. Dropping the future stops the
    /// run.
    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Voucher>>;

    /// Whether its runs go on when the process that began them is gone. If so, [`run`](Self::run) says by
    /// [`Attempt::handover`] from when on that is.
    fn outlives_program(&self) -> bool {
        false
    }

    /// The place that it starts runs of `env` in, as their manifests name it; none for runs inside this process, which
    /// end with it. Whoever attaches to such a run hands it on to [`looks_in`](Self::looks_in).
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when nothing says where that is, [`Runner`](crate::ErrorKind::Runner) when
    /// whoever must be asked can't be reached.
    fn place_of<'a>(&'a self, _env: &'a RunEnvironment) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Looks for runs in this place, too, where somebody attaches to one, and says whether it can: what it can't look
    /// for, it neither finds nor misses. Whoever can write to the stage could have named the place: what is found there
    /// may be waited for and removed, and vouches for nothing.
    fn looks_in(&self, _place: &str) -> bool {
        false
    }

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

    /// The line by which the runner process of this run, begun here or by another process, vouches for its
    /// outcome, which is there; none when nobody has it any more. A runner that keeps lines where other
    /// processes find them looks there.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when that can't be told now.
    fn line<'a>(&'a self, _run_id: &'a str) -> BoxFuture<'a, Result<Option<TerminationLine>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Why this run, begun here or by another process, left no outcome, where what it ran in tells; none where nothing of
    /// that is there.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when that can't be told now.
    fn failure<'a>(&'a self, _run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Hands on to `log` what this run, begun by another process, writes, from its beginning to its end. When that ends
    /// or is dropped, [`Log::is_cut_after`] says how much it was. A runner that can't hands on nothing.
    fn follow(&self, _run_id: &str, _log: Log) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Stops what is left of a run outside the stage and removes it: that of one that was detached, whose owner is gone,
    /// or that somebody cancels. Of an orphan, whose owner is gone, transient volumes go, too, that no other of that
    /// owner's runs uses. What isn't there is no error.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when it is there and can't be removed.
    fn remove(&self, _run_id: &str, _is_orphan: bool) -> BoxFuture<'static, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Removes what submitters that are gone left outside the stage, and gives the names of it. What belongs to the runs
    /// `kept` stays: they were detached, and their outcome needs what vouches for it.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when it can't be listed or removed.
    fn collect<'a>(
        &'a self,
        _removal: Removal,
        _kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}
