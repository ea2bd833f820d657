//! The peak memory of a program and its workers, by the number of items of its map.

use std::time::Instant;

use anyhow::{Context, ensure};
use bench_closures::greet;
use futures::StreamExt;
use hype::{LocalRunner, RunEnvironment, Stage, Submitter};
use serde_json::{Value, json};

use crate::child;
use crate::process::{memory, memory_of, workers};
use crate::staged::runtime;

/// The measured numbers of items.
const ITEMS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// The peak memory of a map, in MiB.
pub(super) struct Peak {
    pub(super) items: usize,
    pub(super) program: f64,
    /// The peak memory of all workers together.
    pub(super) workers: f64,
    /// The items per second, with the start of everything.
    pub(super) rate: f64,
}

impl Peak {
    pub(super) fn total(&self) -> f64 {
        self.program + self.workers
    }
}

/// Measures maps of trivial items, each in a process of its own.
pub(super) fn measure() -> anyhow::Result<Vec<Peak>> {
    let measure = |items: usize| {
        let result = child::spawn("memory", &[&items.to_string()])?;
        let number = |name: &str| result[name].as_f64().with_context(|| format!("no {name}"));
        let (program, workers) = (number("program")?, number("workers")?);
        Ok(Peak { items, program, workers, rate: number("rate")? })
    };
    ITEMS.into_iter().map(measure).collect()
}

/// Measures a map of `items` items in this process.
pub(crate) fn measure_here(items: usize) -> anyhow::Result<Value> {
    let runtime = runtime()?;
    let directory = tempfile::tempdir()?;
    let submitter = Submitter::new(Stage::in_directory(directory.path())?, LocalRunner::new()?)?;
    let env = RunEnvironment::new();
    let started = Instant::now();
    let mut peak = 0;
    runtime.block_on(async {
        let mut map = submitter.map((0..items).map(|index| greet(index.to_string())), &env);
        let mut returned = 0;
        while let Some(greeting) = map.next().await {
            ensure!(greeting? == format!("hello {returned}"), "a closure returned something else");
            returned += 1;
            // Workers end with the map.
            if returned % (items / 10) == 0 {
                peak = peak.max(memory_of_workers()?);
            }
        }
        ensure!(returned == items, "{returned} of {items} items returned");
        ensure!(peak > 0, "there are no workers");
        anyhow::Ok(())
    })?;
    let rate = items as f64 / started.elapsed().as_secs_f64();
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let program = mebibytes(memory("VmHWM")?);
    Ok(json!({ "program": program, "workers": mebibytes(peak), "rate": rate }))
}

/// Returns the peak memory of all workers together, in bytes. A worker that has ended has none.
fn memory_of_workers() -> anyhow::Result<u64> {
    let sizes = workers()?.into_iter().filter_map(|worker| memory_of(worker, "VmHWM").ok());
    Ok(sizes.sum())
}
