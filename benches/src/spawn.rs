//! Benchmark `spawn`: the cost of spawning a run beside many live ones, which must not grow with their number.

use std::collections::BTreeSet;
use std::future::{pending, ready};
use std::time::Instant;

use bench_closures::greet;
use futures::future::BoxFuture;
use hype::runner::{
    Attempt, CleanupList, CollectedLeftovers, Completion, Description, FoundProcesses, Log,
    LogMode, Mount, Plan, PlanRequest, Proof, Runner,
};
use hype::stage::CollectMode;
use hype::{Error, Result, Run, RunEnvironment, Stage, Submitter};

use crate::alternate::Times;
use crate::ours::Ours;
use crate::table::{Goal, Row, milliseconds};

/// The numbers of live runs to compare.
const FEW: usize = 1_000;
const MANY: usize = 100_000;

/// The number of runs in one measurement.
const BATCH: usize = 1_000;

/// The maximum ratio of the cost beside many runs to that beside few.
const MAX_RATIO: f64 = 1.5;

/// A runner whose runs never start.
#[derive(Debug)]
struct Waiting;

impl Runner for Waiting {
    fn description(&self) -> Description {
        Description { location: "nowhere".to_owned(), outlives_program: false }
    }

    fn plan<'a>(&'a self, _: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(pending())
    }

    fn mounts<'a>(
        &'a self,
        _: &'a RunEnvironment,
        _: &'a CleanupList,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        Box::pin(pending())
    }

    fn run(&self, _: Attempt) -> BoxFuture<'static, Result<Completion>> {
        Box::pin(pending())
    }

    fn add_search_location(&self, _: &str, _: &str) -> bool {
        false
    }

    fn check_removable<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn is_alive<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(ready(Ok(false)))
    }

    fn proof<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        Box::pin(ready(Ok(None)))
    }

    fn failure<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        Box::pin(ready(Ok(None)))
    }

    fn processes<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, Result<FoundProcesses>> {
        Box::pin(ready(Ok(FoundProcesses::default())))
    }

    fn copy_log(&self, _: &str, _: u32, _: Log, _: LogMode) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    fn remove(&self, _: &str, _: bool) -> BoxFuture<'static, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn collect<'a>(
        &'a self,
        _: CollectMode,
        _: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<CollectedLeftovers>> {
        Box::pin(ready(Ok(CollectedLeftovers::default())))
    }
}

pub(crate) fn measure(_: &Ours) -> anyhow::Result<Vec<Row>> {
    let directory = tempfile::tempdir()?;
    let submitter = Submitter::new(Stage::in_directory(directory.path())?, Waiting)?;
    let mut runs = Vec::with_capacity(MANY + 10 * BATCH);
    let few = median_spawn_time(&submitter, &mut runs, FEW);
    let many = median_spawn_time(&submitter, &mut runs, MANY);
    let ratio = many / few;
    Ok(vec![Row::alone(
        format!("spawn beside {MANY} live runs, and beside {FEW}"),
        format!("{} and {}: {ratio:.2}", milliseconds(many), milliseconds(few)),
        Goal::Target(format!("under {MAX_RATIO} ×"), ratio < MAX_RATIO),
    )])
}

/// Returns the median time of one spawn, in seconds, while at least `live` runs are alive.
fn median_spawn_time(submitter: &Submitter, runs: &mut Vec<Run<String>>, live: usize) -> f64 {
    let env = RunEnvironment::new();
    let missing = live.saturating_sub(runs.len());
    let mut spawn = || runs.push(submitter.spawn(greet("you".to_owned()), &env));
    for _ in 0..missing {
        spawn();
    }
    let batches = (0..5).map(|_| {
        let started = Instant::now();
        for _ in 0..BATCH {
            spawn();
        }
        started.elapsed().as_secs_f64() / BATCH as f64
    });
    Times::new(batches.collect()).median()
}
