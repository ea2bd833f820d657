//! The cost of spawning a run while many others are alive: it must not grow with their number.

use std::collections::BTreeSet;
use std::future::{pending, ready};
use std::time::Instant;

use bench_closures::greet;
use futures::future::BoxFuture;
use hype::runner::{
    Attempt, Description, Log, Mount, Owned, Plan, PlanRequest, Proof, Runner, Voucher,
};
use hype::stage::Removal;
use hype::{Error, Result, Run, RunEnvironment, Stage, Submitter};

use crate::alternate::Times;
use crate::ours::Ours;
use crate::table::{Goal, Row, milliseconds};

/// The numbers of live runs that are compared.
const FEW: usize = 1_000;
const MANY: usize = 100_000;

/// The runs of one measurement.
const BATCH: usize = 1_000;

/// The goal: the cost beside many runs against that beside few.
const RATIO: f64 = 1.5;

/// A runner whose runs never get beyond their beginning.
#[derive(Debug)]
struct Waiting;

impl Runner for Waiting {
    fn description(&self) -> Description {
        Description { place: "nowhere".to_owned(), outlives_program: false }
    }

    fn plan<'a>(&'a self, _: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(pending())
    }

    fn mounts<'a>(
        &'a self,
        _: &'a RunEnvironment,
        _: &'a Owned,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        Box::pin(pending())
    }

    fn run(&self, _: Attempt) -> BoxFuture<'static, Result<Voucher>> {
        Box::pin(pending())
    }

    fn looks_in(&self, _: &str) -> bool {
        false
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

    fn follow(&self, _: &str, _: Log) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    fn remove(&self, _: &str, _: bool) -> BoxFuture<'static, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn collect<'a>(
        &'a self,
        _: Removal,
        _: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(ready(Ok(Vec::new())))
    }
}

pub(crate) fn measure(_: &Ours) -> anyhow::Result<Vec<Row>> {
    let directory = tempfile::tempdir()?;
    let submitter = Submitter::new(Stage::in_directory(directory.path())?, Waiting)?;
    let mut runs = Vec::with_capacity(MANY + 10 * BATCH);
    let few = beside(&submitter, &mut runs, FEW);
    let many = beside(&submitter, &mut runs, MANY);
    let ratio = many / few;
    Ok(vec![Row::alone(
        format!("spawn beside {MANY} live runs against {FEW}"),
        format!("{} against {}: {ratio:.2}", milliseconds(many), milliseconds(few)),
        Goal::Is(format!("under {RATIO} ×"), ratio < RATIO),
    )])
}

/// Returns the median time of one spawn, in seconds, while `live` runs and more are alive.
fn beside(submitter: &Submitter, runs: &mut Vec<Run<String>>, live: usize) -> f64 {
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
    Times::of(batches.collect()).median()
}
