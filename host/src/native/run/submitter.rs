//! Takes closures, gives values.

mod spawn;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hype_stage::{Collected, Removal, Stage};
use serde::de::DeserializeOwned;

use crate::call::closure::Closure;
use crate::cleanup::background::Background;
use crate::cleanup::owned::Owned;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::run::driver::Core;
use crate::run::lease;
use crate::run::registry::Registry;
use crate::runner::{Runner, StageSecret};
use crate::staging::upload::Uploads;

/// Takes closures and gives values: a stage, and a runner. Cloning is cheap.
///
/// What it makes outside this process it removes, at the latest when its last clone goes, which
/// waits for that up to 10 seconds; [`close`](Self::close) does it in time and tells of errors.
#[derive(Clone)]
pub struct Submitter {
    inner: Arc<Inner>,
    is_strict: bool,
    stage_secret: Option<StageSecret>,
}

struct Inner {
    core: Arc<Core>,
    /// It goes last: it is what removes what the runs and the core made.
    background: Background,
}

impl Submitter {
    /// A submitter of these two parts.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when there is no thread left.
    pub fn new(stage: Stage, runner: impl Runner) -> Result<Self> {
        Self::with_lease_term(stage, runner, lease::TERM)
    }

    pub(crate) fn with_lease_term(
        stage: Stage,
        runner: impl Runner,
        lease_term: Duration,
    ) -> Result<Self> {
        let background = Background::start()
            .map_err(|error| Error::runner("cannot start a thread for runs", error))?;
        let owned = Owned::of_submitter(&background);
        let core = Arc::new(Core {
            stage,
            description: runner.description(),
            runner: Box::new(runner),
            uploads: Uploads::default(),
            lease_term,
            owned,
            registry: Registry::register(),
        });
        let inner = Arc::new(Inner { core, background });
        Ok(Self { inner, is_strict: false, stage_secret: None })
    }

    /// Changes the term of leases, before anything is submitted.
    pub(crate) fn set_lease_term(&mut self, lease_term: Duration) -> Result<()> {
        let inner = Arc::get_mut(&mut self.inner);
        let core = inner.and_then(|inner| Arc::get_mut(&mut inner.core));
        core.ok_or_else(|| Error::input("the submitter is in use"))?.lease_term = lease_term;
        Ok(())
    }

    /// Runs closures in this process, through a stage in the user's cache directory, or where that
    /// cannot be written to, in a directory of this user among the temporary files.
    ///
    /// # Errors
    ///
    /// When neither can be had, or this machine can't run WebAssembly.
    #[cfg(feature = "local")]
    pub fn local() -> Result<Self> {
        Self::local_in(Stage::in_directory(&crate::staging::local_stage::directory()?)?)
    }

    /// Runs closures in this process, through the stage at a URL, such as `file:///directory` or,
    /// with the feature of its provider, `gs://bucket/prefix`. A directory is made if absent.
    ///
    /// # Errors
    ///
    /// When there can be no such stage, or this machine can't run WebAssembly.
    #[cfg(feature = "local")]
    pub fn local_with(staging: &str) -> Result<Self> {
        Self::local_in(Stage::open_or_make(staging)?)
    }

    #[cfg(feature = "local")]
    fn local_in(stage: Stage) -> Result<Self> {
        Self::new(stage, crate::runner::LocalRunner::new()?)
    }

    /// Runs closures in containers of the Docker daemon that the `docker` command would use, through
    /// the same stage as [`local`](Self::local), which the containers are shown.
    ///
    /// # Errors
    ///
    /// When there is no directory for a stage, or variables and files say of no daemon that can be
    /// used.
    #[cfg(feature = "docker")]
    pub fn docker() -> Result<Self> {
        let stage = Stage::in_directory(&crate::staging::local_stage::directory()?)?;
        Self::new(stage, crate::runner::DockerRunner::new()?)
    }

    /// The same through the stage at a URL, such as `gs://bucket/prefix`; see
    /// [`with_stage_secret`](Self::with_stage_secret).
    ///
    /// # Errors
    ///
    /// When there can be no such stage, or variables and files say of no daemon that can be used.
    #[cfg(feature = "docker")]
    pub fn docker_with(staging: &str) -> Result<Self> {
        Self::new(Stage::open_or_make(staging)?, crate::runner::DockerRunner::new()?)
    }

    /// Runs closures in Pods of the cluster that `kubectl` would use, through the stage that
    /// `HYPE_STAGING` or `hype.toml` name.
    ///
    /// # Errors
    ///
    /// When they name none, or there can be no such stage.
    #[cfg(feature = "kubernetes")]
    pub fn kubernetes() -> Result<Self> {
        Self::kubernetes_with(&crate::configuration::Configuration::here()?.bucket()?)
    }

    /// The same through the stage at a URL, such as `gs://bucket/prefix`. For another context or
    /// namespace give [`new`](Self::new) a [`KubernetesRunner`](crate::KubernetesRunner).
    ///
    /// # Errors
    ///
    /// When there can be no such stage.
    #[cfg(feature = "kubernetes")]
    pub fn kubernetes_with(staging: &str) -> Result<Self> {
        Self::new(Stage::open_or_make(staging)?, crate::runner::KubernetesRunner::new()?)
    }

    /// Runs closures in Pods of a cluster of Google's, through the stage at a URL such as
    /// `gs://bucket/prefix`; see [`KubernetesRunner::gke`](crate::KubernetesRunner::gke).
    ///
    /// # Errors
    ///
    /// As there, and when there can be no such stage.
    #[cfg(all(feature = "kubernetes", feature = "gcs"))]
    pub async fn gke(project: &str, location: &str, cluster: &str, staging: &str) -> Result<Self> {
        let runner = crate::KubernetesRunner::gke(project, location, cluster).await?;
        Self::new(Stage::open_or_make(staging)?, runner)
    }

    /// Removes the runs that are older than `age` (at least [`LEAST_AGE`](crate::stage::LEAST_AGE)) and
    /// were not detached, and the blobs that no run needs any more, while others may go on
    /// submitting.
    ///
    /// # Errors
    ///
    /// [`Stage`](crate::ErrorKind::Stage) when it can't be listed, read or written.
    pub async fn collect(&self, age: Duration, removal: Removal) -> Result<Collected> {
        Ok(self.stage().collect(age, removal).await?)
    }

    /// Refuses outcomes that nobody vouches for, rather than to warn of them.
    ///
    /// Whoever can write to the stage could have written an outcome. Those of the runs that this
    /// program drives are vouched for by their runner, and those that it attaches to by the run's
    /// key, where the runner or this process still has it.
    #[must_use]
    pub fn with_strict_results(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// Lets `hype-run` reach the stage with the secret called `name`, whose files stand at the absolute
    /// path `path` for it alone: closures see neither them nor variables that name them. A file
    /// `key.json` in it is a key of Google's.
    ///
    /// That is for runs in containers. Those in this process reach the stage as this process does.
    #[must_use]
    pub fn with_stage_secret(mut self, name: impl Into<String>, path: impl Into<String>) -> Self {
        self.stage_secret = Some(StageSecret { name: name.into(), path: path.into() });
        self
    }

    /// Removes what submitters that are gone left with the runner, such as containers and volumes,
    /// once it has expired, and gives the names of it. What belongs to runs that [`collect`](Self::collect) keeps stays.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when it can't be listed or removed,
    /// [`Stage`](crate::ErrorKind::Stage) when the stage can't be listed or read.
    pub async fn collect_leftovers(&self, removal: Removal) -> Result<Vec<String>> {
        let kept = self.stage().kept_runs().await?;
        self.inner.core.runner.collect(removal, &kept).await
    }

    /// What artefacts and results go through.
    pub fn stage(&self) -> &Stage {
        &self.inner.core.stage
    }

    /// Runs `closure` in `env` and gives its value. Dropping the future cancels the run.
    ///
    /// The future borrows nothing, so that many can be spawned or joined.
    ///
    /// # Errors
    ///
    /// [`Error::kind`] says who can do something about it, [`Error::failure`] how the closure
    /// ended.
    pub fn submit<T: DeserializeOwned + 'static>(
        &self,
        closure: Closure<T>,
        env: &RunEnvironment,
    ) -> impl Future<Output = Result<T>> + Send + 'static + use<T> {
        let (submitter, env) = (self.clone(), env.clone());
        async move { submitter.spawn(closure, &env).wait().await }
    }

    /// Removes what this submitter made outside this process and still has, such as transient
    /// volumes, and waits until nothing is there any more of the runs that have ended, and until those that are being
    /// [detached](crate::Run::detach) need this program no more.
    ///
    /// # Errors
    ///
    /// When something of the submitter's own could not be removed.
    pub async fn close(self) -> Result<()> {
        let worker = self.inner.background.worker();
        worker.nothing_pending().await;
        worker.nothing_to_remove().await;
        self.inner.core.owned.remove().await
    }
}

impl fmt::Debug for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Core { stage, description, .. } = &*self.inner.core;
        write!(f, "Submitter({}, {})", description.place, stage.url())
    }
}

/// [`Submitter::new`] with another term of leases, for tests of what happens when one runs out.
///
/// # Errors
///
/// As there.
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
    fn handles_go_anywhere() {
        fn anywhere<T: Clone + Send + Sync + 'static>() {}
        fn spawned<T: Send + 'static>(_: T) {}
        anywhere::<Closure<std::rc::Rc<()>>>();
        anywhere::<Submitter>();
        anywhere::<RunEnvironment>();
        spawned::<Option<Run<std::rc::Rc<()>>>>(None);
        let _submit = |submitter: Submitter, closure: Closure<String>, env: &RunEnvironment| {
            spawned(submitter.submit(closure, env));
        };
    }
}
