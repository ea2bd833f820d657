//! Runners: how and where `hype-run` is started. Also the building blocks of a custom runner.

mod attempt;
pub(crate) mod collected;
mod completion;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod create_resource;
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
pub(crate) mod labels;
#[cfg(feature = "local")]
mod local;
#[cfg(feature = "local")]
mod local_check;
#[cfg(feature = "local")]
mod local_leftovers;
mod lost;
#[cfg(any(feature = "local", feature = "docker", feature = "kubernetes"))]
pub(crate) mod mount;
pub(crate) mod namespace;
mod plan;
mod process;
mod process_info;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod quantity;
pub(crate) mod run_location;
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
#[cfg(feature = "local")]
pub use hype_run::CommandRoom;
#[cfg(feature = "kubernetes")]
pub use kubernetes::{KubernetesRunner, PodTimeouts};
#[cfg(feature = "local")]
pub use local::{LocalRunner, check_commands};

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use hype_stage::CollectMode;
pub use hype_wire::{Access, Mount, RunKey, TerminationLine};

pub use hype_wire::launch;

pub use self::attempt::{Attempt, StageSecret};
pub use self::collected::{CollectedLeftovers, KeptLeftover};
pub use self::completion::{Completion, Proof, is_driven_here};
pub use self::plan::{Description, Plan, PlanRequest};
pub use self::process::Process;
pub use self::process_info::{FoundProcesses, LogMode, ProcessInfo, ProcessPhase, SearchFailure};
pub use self::verdict::{Advice, ProcessEnd, ProcessExit, Subject};
pub use crate::cleanup::list::CleanupList;
pub use crate::map::items::{Item, Items};
pub use crate::run::handover::Handover;
pub use crate::run::log::Log;

use crate::doctor::Reporter;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};

/// Runs the items of maps, many by one process.
///
/// Each worker of the runner takes items by [`Items::next_batch`] until there are none, runs them in instances and
/// sandboxes of their own, and reports their ends by [`Item::finish`].
pub trait ItemRunner: Send + Sync {
    /// Prepares the job in the manifest of `attempt`, and runs `items` until there are none. Dropping the future cancels
    /// them. The manifest's call has no arguments and is not made.
    ///
    /// # Errors
    ///
    /// If the job can't be prepared. A failure of one item is no error.
    fn run_items(&self, attempt: Attempt, items: Items) -> BoxFuture<'static, Result<()>>;

    /// Returns whether items in `env` can share a process. Where they can't, each item is a run. The default is `true`.
    fn can_share_process(&self, env: &RunEnvironment) -> bool {
        let _ = env;
        true
    }

    /// Returns whether another program can run items of a [staged map](crate::map::Map::staged): with the manifest of an
    /// attempt, and for a runner with images with the image, requests, directories, persistent volumes and secrets of its
    /// environment. The default is `false`.
    fn can_run_staged_items(&self) -> bool {
        false
    }
}

/// Starts `hype-run` on a manifest somewhere and waits for its end.
///
/// A runner that starts processes builds each [`Process`] by [`Process::of`] and maps its end to a result by
/// [`Subject::judge`].
///
/// A runner that wraps another one forwards all methods:
///
/// ```
/// use std::collections::BTreeSet;
///
/// use futures::future::BoxFuture;
/// use hype::doctor::Reporter;
/// use hype::runner::{
///     Attempt, CleanupList, CollectedLeftovers, Completion, Description, FoundProcesses, ItemRunner, Log, LogMode, Mount, Plan,
///     PlanRequest, Proof, Runner,
/// };
/// use hype::stage::CollectMode;
/// use hype::{Error, LocalRunner, Result, RunEnvironment};
///
/// /// Prints each attempt before it starts.
/// #[derive(Debug)]
/// struct PrintingRunner(LocalRunner);
///
/// impl Runner for PrintingRunner {
///     fn description(&self) -> Description {
///         self.0.description()
///     }
///
///     fn check<'a>(&'a self, reporter: &'a Reporter) -> BoxFuture<'a, ()> {
///         self.0.check(reporter)
///     }
///
///     fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
///         self.0.plan(request)
///     }
///
///     fn mounts<'a>(
///         &'a self,
///         env: &'a RunEnvironment,
///         cleanup: &'a CleanupList,
///     ) -> BoxFuture<'a, Result<Vec<Mount>>> {
///         self.0.mounts(env, cleanup)
///     }
///
///     fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Completion>> {
///         println!("attempt {} at {}", attempt.number, attempt.function);
///         self.0.run(attempt)
///     }
///
///     fn items(&self) -> Option<&dyn ItemRunner> {
///         self.0.items()
///     }
///
///     fn add_search_location(&self, run_id: &str, run_location: &str) -> bool {
///         self.0.add_search_location(run_id, run_location)
///     }
///
///     fn check_removable<'a>(&'a self, run_location: &'a str) -> BoxFuture<'a, Result<()>> {
///         self.0.check_removable(run_location)
///     }
///
///     fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>> {
///         self.0.is_alive(run_id)
///     }
///
///     fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
///         self.0.proof(run_id)
///     }
///
///     fn failure<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
///         self.0.failure(run_id)
///     }
///
///     fn processes<'a>(&'a self, run_id: Option<&'a str>) -> BoxFuture<'a, Result<FoundProcesses>> {
///         self.0.processes(run_id)
///     }
///
///     fn copy_log(&self, run_id: &str, attempt: u32, log: Log, mode: LogMode) -> BoxFuture<'static, ()> {
///         self.0.copy_log(run_id, attempt, log, mode)
///     }
///
///     fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>> {
///         self.0.remove(run_id, is_orphan)
///     }
///
///     fn collect<'a>(
///         &'a self,
///         mode: CollectMode,
///         kept: &'a BTreeSet<String>,
///     ) -> BoxFuture<'a, Result<CollectedLeftovers>> {
///         self.0.collect(mode, kept)
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let runner = PrintingRunner(LocalRunner::new()?);
/// assert_eq!(runner.description().location, "in this process");
/// # Ok(())
/// # }
/// ```
pub trait Runner: std::fmt::Debug + Send + Sync + 'static {
    /// Returns the constant properties of the runner.
    fn description(&self) -> Description;

    /// Checks what the runner needs beyond the stage, such as a server, rights and an image, and reports each result. By
    /// default there is nothing to check.
    fn check<'a>(&'a self, _reporter: &'a Reporter) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Plans a run: rejects what can't work, and chooses image and platform.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if the process could not reach the stage;
    /// [`Runner`](crate::ErrorKind::Runner) if a required server is unreachable.
    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>>;

    /// Creates the volumes of `env` and returns all its mounts as `hype-run` will find them. Registers volumes that
    /// outlive the run with `cleanup`, the submitter's list.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a mount isn't available with this runner.
    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        cleanup: &'a CleanupList,
    ) -> BoxFuture<'a, Result<Vec<Mount>>>;

    /// Runs `attempt` to its end and returns what proves its outcome. Dropping the future cancels the run.
    ///
    /// # Errors
    ///
    /// [`Lost`](crate::ErrorKind::Lost) if the process ended without an outcome; [`Subject::judge`] returns it.
    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Completion>>;

    /// Returns this runner as one that runs the items of maps; `None` by default. Without it, each item of a map is a run.
    fn items(&self) -> Option<&dyn ItemRunner> {
        None
    }

    /// Adds `run_location` to the locations that this runner searches for the run `run_id`, and for no other run.
    /// Returns whether the runner can search it.
    ///
    /// `run_location` is the [`Plan::run_location`] that the run's manifest records. It is untrusted, since everyone
    /// who can write to the stage can change it: the runner may wait for the run if it finds it there, but must neither
    /// return a [`Proof`] from there, nor remove anything there, unless this program named the location, too.
    fn add_search_location(&self, run_id: &str, run_location: &str) -> bool;

    /// Checks that this program named `run_location`, so that [`remove`](Self::remove) removes runs there.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if only a manifest in the stage names it; the hint says how to name it.
    fn check_removable<'a>(&'a self, run_location: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Returns whether a process of this run still exists and may write an outcome. This or another process may
    /// have started the run.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) if that is unknown now, for example while a server is unreachable.
    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>>;

    /// Returns what proves the outcome of this run; `None` if no proof exists any more. This or another process may
    /// have started the run.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) if that is unknown now, for example while a server is unreachable.
    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>>;

    /// Returns the reason why this run wrote no outcome, from the state of its container or process; `None` if that
    /// no longer exists. This or another process may have started the run.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) if that is unknown now, for example while a server is unreachable.
    fn failure<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>>;

    /// Returns the processes of all runs in the locations that this program named, or those of one run, then with their
    /// [events](ProcessInfo::events). This or other processes may have started the runs, with any stage. A runner whose
    /// runs end with their program returns none: that program lists them.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) if no processes can be listed. If only some locations can't be searched,
    /// they are in [`FoundProcesses::failures`].
    fn processes<'a>(&'a self, run_id: Option<&'a str>) -> BoxFuture<'a, Result<FoundProcesses>>;

    /// Copies the output of one attempt of this run, which another process started, to `log`: all of it, or what exists
    /// now. The attempt is one that [`processes`](Self::processes) returned. Calls [`Log::mark_truncated`] with the
    /// number of copied lines when the future ends or is dropped. A runner without access to that output copies nothing.
    fn copy_log(
        &self,
        run_id: &str,
        attempt: u32,
        log: Log,
        mode: LogMode,
    ) -> BoxFuture<'static, ()>;

    /// Stops a run and removes its resources outside the stage. With `is_orphan`, the submitter of the run has
    /// ended: transient volumes that no other run of that submitter uses are removed as well. Idempotent: missing
    /// resources are no error.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) if an existing resource can't be removed.
    fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>>;

    /// Garbage-collects resources outside the stage whose submitters have ended, in the locations that this program
    /// named. Keeps the resources of the runs `kept`, which prove their outcomes. A resource that can't be removed and a
    /// location that can't be searched are in [`CollectedLeftovers::failures`], and don't stop the collection.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) if no resources can be listed.
    fn collect<'a>(
        &'a self,
        mode: CollectMode,
        kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<CollectedLeftovers>>;
}
