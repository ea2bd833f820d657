//! Runners that wrap another runner and change its behaviour.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use hype::doctor::Reporter;
use hype::runner::{
    Attempt, CleanupList, CollectedLeftovers, Completion, Description, FoundProcesses, ItemRunner,
    Items, Log, LogMode, Mount, Plan, PlanRequest, Proof, Runner,
};
use hype::stage::CollectMode;
use hype::{Error, LocalRunner, Result, RunEnvironment};

/// Overrides of a runner's methods. A method that isn't overridden calls the inner runner.
pub trait RunnerOverrides: Debug + Send + Sync + 'static {
    fn inner(&self) -> &dyn Runner;

    fn description(&self) -> Description {
        self.inner().description()
    }

    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        self.inner().plan(request)
    }

    /// Returns none by default, so that each item of a map is a run.
    fn items(&self) -> Option<&dyn ItemRunner> {
        None
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        cleanup: &'a CleanupList,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        self.inner().mounts(env, cleanup)
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Completion>> {
        self.inner().run(attempt)
    }

    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        self.inner().proof(run_id)
    }
}

/// A runner with overridden methods.
#[derive(Debug)]
pub struct Overridden<T>(pub T);

impl<T: RunnerOverrides> Runner for Overridden<T> {
    fn description(&self) -> Description {
        self.0.description()
    }

    fn check<'a>(&'a self, reporter: &'a Reporter) -> BoxFuture<'a, ()> {
        self.0.inner().check(reporter)
    }

    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        self.0.plan(request)
    }

    fn items(&self) -> Option<&dyn ItemRunner> {
        self.0.items()
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        cleanup: &'a CleanupList,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        self.0.mounts(env, cleanup)
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Completion>> {
        self.0.run(attempt)
    }

    fn add_search_location(&self, run_id: &str, place: &str) -> bool {
        self.0.inner().add_search_location(run_id, place)
    }

    fn check_removable<'a>(&'a self, place: &'a str) -> BoxFuture<'a, Result<()>> {
        self.0.inner().check_removable(place)
    }

    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>> {
        self.0.inner().is_alive(run_id)
    }

    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        self.0.proof(run_id)
    }

    fn failure<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        self.0.inner().failure(run_id)
    }

    fn processes<'a>(&'a self, run_id: Option<&'a str>) -> BoxFuture<'a, Result<FoundProcesses>> {
        self.0.inner().processes(run_id)
    }

    fn copy_log(
        &self,
        run_id: &str,
        attempt: u32,
        log: Log,
        mode: LogMode,
    ) -> BoxFuture<'static, ()> {
        self.0.inner().copy_log(run_id, attempt, log, mode)
    }

    fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>> {
        self.0.inner().remove(run_id, is_orphan)
    }

    fn collect<'a>(
        &'a self,
        mode: CollectMode,
        kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<CollectedLeftovers>> {
        self.0.inner().collect(mode, kept)
    }
}

/// A local runner whose mounts never become ready.
#[derive(Debug)]
pub struct WithoutMounts(pub LocalRunner);

impl RunnerOverrides for WithoutMounts {
    fn inner(&self) -> &dyn Runner {
        &self.0
    }

    fn mounts<'a>(
        &'a self,
        _: &'a RunEnvironment,
        _: &'a CleanupList,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        Box::pin(std::future::pending())
    }
}

/// A local runner that has images, as if its items ran in containers, and records what they would get.
#[derive(Debug)]
pub struct WithImages {
    pub inner: LocalRunner,
    pub seen: Arc<Mutex<Vec<SeenAttempt>>>,
}

/// An attempt at the items of a map, as its runner sees it.
#[derive(Debug)]
pub struct SeenAttempt {
    pub manifest_url: String,
    pub image: Option<String>,
    pub env: RunEnvironment,
}

impl RunnerOverrides for WithImages {
    fn inner(&self) -> &dyn Runner {
        &self.inner
    }

    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(async move {
            let image = request.image.map(str::to_owned);
            Ok(Plan { image, ..self.inner.plan(request).await? })
        })
    }

    fn items(&self) -> Option<&dyn ItemRunner> {
        Some(self)
    }
}

impl ItemRunner for WithImages {
    fn run_items(&self, attempt: Attempt, items: Items) -> BoxFuture<'static, Result<()>> {
        let Attempt { manifest_url, image, env, .. } = attempt.clone();
        self.seen.lock().unwrap().push(SeenAttempt { manifest_url, image, env });
        self.inner.items().unwrap().run_items(attempt, items)
    }

    fn can_run_staged_items(&self) -> bool {
        true
    }
}
