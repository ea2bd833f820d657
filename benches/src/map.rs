//! Benchmark `map`: trivial items through `Submitter::map`, each in a new instance and sandbox, with closures in the program
//! and in worker processes; the memory of the program after a few and after many items; and the same many items of a staged
//! map.

use std::time::Instant;

use anyhow::{Context, ensure};
use bench_closures::greet;
use futures::StreamExt;
use hype::{LocalRunner, RunEnvironment, Stage, Submitter};
use serde_json::{Value, json};

use crate::child;
use crate::ours::Ours;
use crate::process::memory;
use crate::staged::runtime;
use crate::submit::WORKERS;
use crate::table::{Goal, Row};

/// The number of items whose rate is measured.
const ITEMS: usize = 10_000;

/// The number of items before the second measurement of the memory.
const MANY: usize = 100_000;

/// The minimum rate, per second: 15 times that of Ray on such a machine.
const MIN_RATE: f64 = 12_000.0;

/// The maximum growth of the memory between the measurements.
const MAX_GROWTH: f64 = 1.1;

pub(crate) fn measure(_: &Ours) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (place, value) in [("in the program", "0"), ("in workers", "1")] {
        let result = child::spawn_with("map", &[], &[(WORKERS, value)])?;
        let number = |name: &str| result[name].as_f64().with_context(|| format!("no {name}"));
        let (rate, before, after) = (number("rate")?, number("before")?, number("after")?);
        let (many, staged) = (number("many")?, number("staged")?);
        rows.push(Row::alone(
            format!("map of {ITEMS} trivial items, {place}"),
            format!("{rate:.0} per second"),
            Goal::Target(format!("at least {MIN_RATE}"), rate >= MIN_RATE),
        ));
        rows.push(Row::alone(
            format!("  memory after {ITEMS} and after {MANY} more items"),
            format!("{before:.0} MiB, {after:.0} MiB"),
            Goal::Target("the same".to_owned(), after < before * MAX_GROWTH),
        ));
        rows.push(Row::alone(
            format!("  {MANY} items, and {MANY} of a staged map"),
            format!("{many:.0} and {staged:.0} per second, {:.0} %", staged / many * 100.0),
            Goal::None,
        ));
    }
    Ok(rows)
}

/// Measures maps in this process.
pub(crate) fn measure_here() -> anyhow::Result<Value> {
    let runtime = runtime()?;
    let directory = tempfile::tempdir()?;
    let submitter = Submitter::new(Stage::in_directory(directory.path())?, LocalRunner::new()?)?;
    let env = RunEnvironment::new();
    let run = async |items: usize, is_staged: bool| {
        let started = Instant::now();
        let map = submitter.map((0..items).map(|_| greet("you".into())), &env);
        let mut map = if is_staged { map.staged() } else { map };
        let mut returned = 0;
        while let Some(greeting) = map.next().await {
            ensure!(greeting? == "hello you", "a closure returned something else");
            returned += 1;
        }
        ensure!(returned == items, "{returned} of {items} items returned");
        anyhow::Ok(items as f64 / started.elapsed().as_secs_f64())
    };
    runtime.block_on(async {
        // Compiles and stages the component.
        run(100, false).await?;
        let rate = run(ITEMS, false).await?;
        let before = memory("VmRSS")?;
        let many = run(MANY, false).await?;
        let after = memory("VmRSS")?;
        let staged = run(MANY, true).await?;
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        Ok(json!({
            "rate": rate,
            "before": mebibytes(before),
            "after": mebibytes(after),
            "many": many,
            "staged": staged,
        }))
    })
}
