//! Submitters, which run closures and return their values.

#[cfg(any(feature = "local", feature = "docker", feature = "kubernetes"))]
mod open;
mod spawn;

use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use hype_stage::{CollectMode, CollectReport, LeakedInForks, Stage};
use serde::de::DeserializeOwned;

use crate::call::closure::Closure;
use crate::cleanup::background::Background;
use crate::cleanup::list::CleanupList;
use crate::configuration::Configuration;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::map::staged::keys;
use crate::run::control;
use crate::run::driver::Dispatcher;
use crate::run::key_store::KeyStore;
use crate::run::lease;
use crate::run::registry::Registry;
use crate::runner::{CollectedLeftovers, Runner, StageSecret};
use crate::staging::unstaged::UnstagedRuns;
use crate::staging::upload::Uploads;

/// Runs closures by a [`Runner`], through a [`Stage`], and returns their values. Cloning is cheap.
///
/// A submitter removes everything that it creates outside this process, at the latest when its last clone is dropped.
/// The drop waits for that for up to 10 seconds. [`close`](Self::close) waits without a timeout and returns errors.
///
/// ```no_run
/// # #[hype::function]
/// # fn example(arg: String) -> String { arg }
/// # async fn run() -> hype::Result<()> {
/// let submitter = hype::Submitter::ambient()?;
/// let env = hype::RunEnvironment::new();
/// println!("{}", submitter.submit(example("hello".into()), &env).await?);
/// submitter.close().await
/// # }
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Submitter {
    inner: Arc<LeakedInForks<Inner>>,
    is_strict: bool,
    stage_secret: Option<StageSecret>,
    /// The settings that chose this submitter; `None` if the program did.
    configuration: Option<Arc<Configuration>>,
}

struct Inner {
    dispatcher: Arc<Dispatcher>,
    /// Whether the socket for other processes of this user is being served.
    is_served: Once,
    /// Dropped last, since its thread removes everything that runs and the dispatcher created.
    background: Background,
}

impl Submitter {
    /// Creates a submitter with this stage and runner.
    ///
    /// ```no_run
    /// # #[cfg(feature = "local")] {
    /// let stage = hype::Stage::open("file:///tmp/stage").unwrap();
    /// let submitter = hype::Submitter::new(stage, hype::LocalRunner::new().unwrap()).unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when no thread can be started.
    pub fn new(stage: Stage, runner: impl Runner) -> Result<Self> {
        Self::with_lease_term(stage, runner, lease::TERM)
    }

    pub(crate) fn with_lease_term(
        stage: Stage,
        runner: impl Runner,
        lease_term: Duration,
    ) -> Result<Self> {
        Self::with_boxed_runner(stage, Box::new(runner), lease_term)
    }

    pub(crate) fn with_boxed_runner(
        stage: Stage,
        runner: Box<dyn Runner>,
        lease_term: Duration,
    ) -> Result<Self> {
        let background = Background::start()
            .map_err(|error| Error::runner("cannot start a thread for runs", error))?;
        let cleanup = CleanupList::of_submitter(&background);
        let dispatcher = Arc::new(Dispatcher {
            stage,
            description: runner.description(),
            runner,
            uploads: Uploads::default(),
            unstaged: UnstagedRuns::default(),
            lease_term,
            cleanup,
            registry: Registry::register(),
        });
        let inner = Inner { dispatcher, is_served: Once::new(), background };
        let inner = Arc::new(LeakedInForks::new(inner));
        Ok(Self { inner, is_strict: false, stage_secret: None, configuration: None })
    }

    /// Sets the configuration that chose this submitter, which errors of runs name.
    pub(crate) fn with_configuration(mut self, configuration: Configuration) -> Self {
        self.configuration = Some(Arc::new(configuration));
        self
    }

    pub(crate) fn runner(&self) -> &dyn Runner {
        &*self.inner.dispatcher.runner
    }

    /// Returns where runs are, for messages: "in Docker".
    pub(crate) fn location(&self) -> &str {
        &self.inner.dispatcher.description.location
    }

    /// Changes the term of leases. It must be called before the first submission.
    pub(crate) fn set_lease_term(&mut self, lease_term: Duration) -> Result<()> {
        let dispatcher = Arc::get_mut(&mut self.inner)
            .and_then(|inner| Arc::get_mut(&mut inner.dispatcher))
            .ok_or_else(|| Error::input("the submitter is in use"))?;
        dispatcher.lease_term = lease_term;
        Ok(())
    }

    /// Collects garbage in the stage: removes orphaned runs that are older than `age`, which must be at least
    /// [`MIN_COLLECT_AGE`](crate::stage::MIN_COLLECT_AGE), and blobs that no run needs. Detached runs are kept. Other
    /// programs may submit at the same time. The keys that this user has of removed maps are deleted, too.
    ///
    /// ```no_run
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// use hype::stage::CollectMode;
    /// use std::time::Duration;
    ///
    /// let week = Duration::from_secs(7 * 24 * 60 * 60);
    /// let report = submitter.collect(week, CollectMode::DryRun).await?;
    /// println!("{report:?}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Stage`](crate::ErrorKind::Stage) when the stage can't be listed, read or written.
    pub async fn collect(&self, age: Duration, mode: CollectMode) -> Result<CollectReport> {
        let mut report = self.stage().collect(age, mode).await?;
        if mode == CollectMode::Delete {
            let (of_user, url) = (KeyStore::of_user(), self.stage().url());
            let failures = keys::delete_of_removed(&of_user, url, &report.runs).await;
            report.failures.extend(failures);
        }
        Ok(report)
    }

    /// Rejects unverified outcomes instead of logging a warning.
    ///
    /// An attacker who can write to the stage could forge an outcome. The outcomes of runs that this program started
    /// are verified by their runner, those of attached runs by the run's key, if the runner or this process still has
    /// it.
    ///
    /// ```no_run
    /// # async fn run() -> hype::Result<()> {
    /// let submitter = hype::Submitter::ambient()?.with_strict_results();
    /// let score = submitter.attach::<f64>("hype-run-tizxijbai4").wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_strict_results(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// Sets the secret with which `hype-run` accesses the stage. Its files are mounted at the absolute path `path`, and
    /// hidden from closures together with the variables that name them. A file `key.json` in it is a Google service
    /// account key.
    ///
    /// Only runs in containers use it. Runs in this process use the credentials of this process.
    ///
    /// ```no_run
    /// let submitter = hype::Submitter::ambient()?.with_stage_secret("stage-key", "/secrets/stage");
    /// # hype::Result::Ok(())
    /// ```
    #[must_use]
    pub fn with_stage_secret(mut self, name: impl Into<String>, path: impl Into<String>) -> Self {
        self.stage_secret = Some(StageSecret { name: name.into(), path: path.into() });
        self
    }

    /// Removes expired leftovers of other submitters outside the stage: containers or Pods, volumes, and on this machine
    /// the sockets and keys of this user's processes. Returns what it removed, what it kept and why, and what failed: a
    /// failure stops only the removal that it concerns. Leftovers of runs that [`collect`](Self::collect) keeps are not
    /// removed.
    ///
    /// ```no_run
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// use hype::stage::CollectMode;
    ///
    /// let leftovers = submitter.collect_leftovers(CollectMode::DryRun).await?;
    /// for name in leftovers.removed {
    ///     println!("would remove {name}");
    /// }
    /// for kept in leftovers.kept {
    ///     println!("would keep {}, since {}", kept.name, kept.reason);
    /// }
    /// for error in leftovers.failures {
    ///     println!("{}", error.report());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when the submitter's thread has ended.
    pub async fn collect_leftovers(&self, mode: CollectMode) -> Result<CollectedLeftovers> {
        let mut collected =
            self.on_thread(async move { Ok(control::collect_sockets(mode).await) }).await?;
        // Without the stage, no run is known to be an orphan.
        match self.stage().kept_runs().await {
            Ok(kept) => {
                collected.record(self.inner.dispatcher.runner.collect(mode, &kept).await);
            }
            Err(error) => collected.failures.push(error.into()),
        }
        collected.record(keys::collect(KeyStore::of_user(), self.stage(), mode).await);
        Ok(collected)
    }

    /// Returns the stage.
    ///
    /// ```no_run
    /// println!("{}", hype::Submitter::ambient()?.stage().url());
    /// # hype::Result::Ok(())
    /// ```
    pub fn stage(&self) -> &Stage {
        &self.inner.dispatcher.stage
    }

    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if this process is a fork of the one that created the submitter.
    pub(crate) fn check_process(&self) -> Result<()> {
        self.inner.background.worker().check_process()
    }

    pub(crate) fn dispatcher(&self) -> &Arc<Dispatcher> {
        &self.inner.dispatcher
    }

    /// Waits until everything that ended runs created is removed.
    pub(crate) async fn wait_for_removals(&self) {
        self.inner.background.worker().wait_for_removals().await;
    }

    /// Runs `work` on the submitter's thread until it ends or the submitter is dropped.
    pub(crate) fn spawn_on_thread(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.inner.background.spawn(work);
    }

    /// Runs `closure` in `env`, and returns its value. Dropping the future cancels the run.
    ///
    /// The future borrows nothing, so that many futures can be spawned or joined.
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn example(arg: String) -> String { arg }
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// let env = hype::RunEnvironment::new().with_retries(3);
    /// let greeting = submitter.submit(example("hello".into()), &env).await?;
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// [`Failed`](crate::ErrorKind::Failed) when the closure ends without a value, [`Lost`](crate::ErrorKind::Lost)
    /// when the run ends without an outcome, [`Input`](crate::ErrorKind::Input) when the component, the arguments or
    /// the environment are invalid, [`Stage`](crate::ErrorKind::Stage) or [`Runner`](crate::ErrorKind::Runner) when one
    /// of them fails.
    pub fn submit<T: DeserializeOwned + 'static>(
        &self,
        closure: Closure<T>,
        env: &RunEnvironment,
    ) -> impl Future<Output = Result<T>> + Send + 'static + use<T> {
        let (submitter, env) = (self.clone(), env.clone());
        async move { submitter.spawn(closure, &env).wait().await }
    }

    /// Removes everything that this submitter created outside this process, such as transient volumes. Waits until the
    /// objects of ended runs are removed, and until runs that are being [detached](crate::Run::detach) don't need this
    /// program any more.
    ///
    /// ```no_run
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// submitter.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the first failed removal of an object of the submitter. Failed removals of runs are logged.
    pub async fn close(self) -> Result<()> {
        let worker = self.inner.background.worker();
        worker.check_process()?;
        worker.wait_for_pending().await;
        worker.wait_for_removals().await;
        self.inner.dispatcher.cleanup.remove().await
    }
}

impl fmt::Debug for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dispatcher { stage, description, .. } = &*self.inner.dispatcher;
        write!(f, "Submitter({}, {})", description.location, stage.url())
    }
}

/// Creates a submitter with another term of leases, for tests of expired leases.
///
/// # Errors
///
/// The errors of [`Submitter::new`].
pub fn submitter_with_lease_term(
    stage: Stage,
    runner: impl Runner,
    lease_term: Duration,
) -> Result<Submitter> {
    Submitter::with_lease_term(stage, runner, lease_term)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::handle::Run;

    #[test]
    fn handles_are_send_and_static() {
        fn assert_shareable<T: Clone + Send + Sync + 'static>() {}
        fn assert_send<T: Send + 'static>(_: T) {}
        assert_shareable::<Closure<std::rc::Rc<()>>>();
        assert_shareable::<Submitter>();
        assert_shareable::<RunEnvironment>();
        assert_send::<Option<Run<std::rc::Rc<()>>>>(None);
        let _submit = |submitter: Submitter, closure: Closure<String>, env: &RunEnvironment| {
            assert_send(submitter.submit(closure, env));
        };
    }
}
