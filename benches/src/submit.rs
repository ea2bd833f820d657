//! Benchmark `submit`: `submit` of a trivial closure whose component is staged, alone and many at once, with closures in
//! the program and in worker processes.

use std::time::Instant;

use anyhow::{Context, ensure};
use bench_closures::greet;
use futures::{StreamExt, TryStreamExt, stream};
use hype::{LocalRunner, RunEnvironment, Stage, Submitter};
use serde_json::{Value, json};

use crate::alternate::Times;
use crate::child;
use crate::ours::Ours;
use crate::staged::runtime;
use crate::table::{Goal, Row, milliseconds};

const ROUNDS: usize = 200;

/// The maximum median time, in seconds.
const MAX_TIME: f64 = 0.010;

/// The maximum median time in worker processes, in seconds.
const MAX_WORKER_TIME: f64 = 0.0015;

/// The number of submissions that are measured together, of the parts whose median counts, and of those that run at once.
const MANY: usize = 20_000;
const PARTS: usize = 5;
const AT_ONCE: usize = 64;

/// The minimum rate of submissions at once in worker processes, per second.
const MIN_RATE: f64 = 8_000.0;

/// The variable with which `LocalRunner` runs closures in worker processes.
pub(crate) const WORKERS: &str = "HYPE_LOCAL_WORKERS";

pub(crate) fn measure(_: &Ours) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (place, value, max_time) in
        [("in the program", "0", MAX_TIME), ("in workers", "1", MAX_WORKER_TIME)]
    {
        let result = child::spawn_with("submit", &[&MANY.to_string()], &[(WORKERS, value)])?;
        let number = |name: &str| result[name].as_f64().with_context(|| format!("no {name}"));
        let (first, median, rate) = (number("first")?, number("median")?, number("rate")?);
        rows.push(Row::alone(
            format!("submit of an unchanged component, {place}"),
            milliseconds(median),
            Goal::Target(format!("under {}", milliseconds(max_time)), median < max_time),
        ));
        rows.push(Row::alone(
            "  the first in a program, compiled before",
            milliseconds(first),
            Goal::Target(format!("under {}", milliseconds(0.025)), first < 0.025),
        ));
        let goal = match value {
            "1" => Goal::Target(format!("at least {MIN_RATE}"), rate >= MIN_RATE),
            _ => Goal::None,
        };
        let what = format!("  {AT_ONCE} at once");
        rows.push(Row::alone(what, format!("{rate:.0} per second"), goal));
    }
    Ok(rows)
}

/// Measures submissions in this process.
pub(crate) fn measure_here(count: usize) -> anyhow::Result<Value> {
    let runtime = runtime()?;
    let directory = tempfile::tempdir()?;
    let submitter = || {
        let stage = Stage::in_directory(directory.path())?;
        Submitter::new(stage, LocalRunner::new()?)
    };
    let env = RunEnvironment::new();
    let submit = async |submitter: &Submitter| {
        let started = Instant::now();
        let greeting = submitter.submit(greet("you".into()), &env).await?;
        ensure!(greeting == "hello you", "the closure returned {greeting}");
        anyhow::Ok(started.elapsed().as_secs_f64())
    };
    runtime.block_on(async {
        // Compiles and stages the component.
        submit(&submitter()?).await?;
        let started = Instant::now();
        let submitter = submitter()?;
        submit(&submitter).await?;
        let first = started.elapsed().as_secs_f64();
        let mut seconds = Vec::new();
        for _ in 0..ROUNDS {
            seconds.push(submit(&submitter).await?);
        }
        let (median, part, mut times) = (Times::new(seconds).median(), count / PARTS, Vec::new());
        for _ in 0..PARTS {
            let started = Instant::now();
            let all = stream::iter((0..part).map(|_| submit(&submitter)));
            all.buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
            times.push(started.elapsed().as_secs_f64());
        }
        let rate = part as f64 / Times::new(times).median();
        Ok(json!({ "first": first, "median": median, "rate": rate }))
    })
}
