//! The check of a runner whose image has a `hype-run` of an older version.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use hype_stage::CollectMode;
use hype_wire::{Digest, Mount};

use super::*;
use crate::runner::{
    Attempt, CleanupList, CollectedLeftovers, Completion, Description, FoundProcesses, Log,
    LogMode, Plan, PlanRequest, Proof, Runner,
};
use crate::{Error, Result, RunEnvironment};

/// A local runner whose `hype-run` receives manifests of a newer format than its own.
#[derive(Debug)]
struct OldImage {
    runner: LocalRunner,
    stage: Stage,
}

impl Runner for OldImage {
    fn description(&self) -> Description {
        self.runner.description()
    }

    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        self.runner.plan(request)
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        cleanup: &'a CleanupList,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        self.runner.mounts(env, cleanup)
    }

    fn run(&self, mut attempt: Attempt) -> BoxFuture<'static, Result<Completion>> {
        let (runner, stage) = (self.runner.clone(), self.stage.clone());
        Box::pin(async move {
            let mut manifest = (*attempt.manifest.take().unwrap()).clone();
            manifest.format += 1;
            let bytes = manifest.to_bytes().unwrap();
            attempt.manifest_digest = Digest::of(&bytes);
            stage.put(&hype_wire::names::manifest(&attempt.run_id), bytes.into()).await?;
            runner.run(attempt).await
        })
    }

    fn add_search_location(&self, run_id: &str, run_location: &str) -> bool {
        self.runner.add_search_location(run_id, run_location)
    }

    fn check_removable<'a>(&'a self, run_location: &'a str) -> BoxFuture<'a, Result<()>> {
        self.runner.check_removable(run_location)
    }

    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>> {
        self.runner.is_alive(run_id)
    }

    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        self.runner.proof(run_id)
    }

    fn failure<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        self.runner.failure(run_id)
    }

    fn processes<'a>(&'a self, run_id: Option<&'a str>) -> BoxFuture<'a, Result<FoundProcesses>> {
        self.runner.processes(run_id)
    }

    fn copy_log(
        &self,
        run_id: &str,
        attempt: u32,
        log: Log,
        mode: LogMode,
    ) -> BoxFuture<'static, ()> {
        self.runner.copy_log(run_id, attempt, log, mode)
    }

    fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>> {
        self.runner.remove(run_id, is_orphan)
    }

    fn collect<'a>(
        &'a self,
        mode: CollectMode,
        kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<CollectedLeftovers>> {
        self.runner.collect(mode, kept)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_image_fails_the_run_alone() {
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(directory.path()).unwrap();
    let runner = LocalRunner::new().unwrap().with_staged_runs().unwrap();
    let old = OldImage { runner, stage: stage.clone() };
    let submitter = Submitter::new(stage, old).unwrap();
    let checks: Vec<_> = submitter.check().collect().await;
    submitter.close().await.unwrap();
    assert_eq!(names(&checks, CheckState::Failed), ["run"], "{checks:?}");
    let remedy = checks.last().unwrap().remedy.as_ref().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        remedy.contains(&format!("use an image with hype-run of version {version}")),
        "{remedy}"
    );
    assert_eq!(files(directory.path()), 1);
}
