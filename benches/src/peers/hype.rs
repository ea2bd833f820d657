//! The tasks through `Submitter::map`, as a program would run them.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use bench_closures::{echo, greet, spin};
use futures::StreamExt;
use hype::{Closure, LocalRunner, RunEnvironment, Stage, Submitter};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::results::{BARE, START, Seconds, TASKS, Way, key};
use crate::staged::runtime;

/// The size of the arguments and values of `echo`.
const ECHO_BYTES: usize = 1_000_000;

/// The processor time of a CPU-bound task, in microseconds.
const SPIN_MICROSECONDS: f64 = 50_000.0;

/// Measures all tasks in this process. `stage` keeps the machine code between rounds.
pub(crate) fn measure_here(stage: &str, cores: usize) -> anyhow::Result<Value> {
    let runtime = runtime()?;
    let started = Instant::now();
    let submitter = Submitter::new(Stage::in_directory(Path::new(stage))?, LocalRunner::new()?)?;
    let seconds = runtime.block_on(async {
        let map = Maps { submitter: &submitter, env: RunEnvironment::new() };
        let names = vec!["you".to_owned(); 4 * cores];
        map.run(names, greet, |name| format!("hello {name}")).await?;
        let start = started.elapsed().as_secs_f64();
        let mut seconds = map.measure(cores).await?;
        seconds.insert(START.to_owned(), start);
        anyhow::Ok(seconds)
    })?;
    Ok(serde_json::to_value(seconds)?)
}

struct Maps<'a> {
    submitter: &'a Submitter,
    env: RunEnvironment,
}

impl Maps<'_> {
    async fn measure(&self, cores: usize) -> anyhow::Result<Seconds> {
        let [greets, spins, echoes] = TASKS;
        let mut seconds = Seconds::new();
        let names = (0..greets.number).map(|index| format!("item {index}")).collect();
        let took = self.run(names, greet, |name| format!("hello {name}")).await?;
        seconds.insert(key(&greets, Way::Each), took);
        let steps = self.calibrate().await?;
        let shares = (0..cores).map(|core| (core..spins.number).step_by(cores).count() as u64);
        let shares = shares.map(|number| number * steps).collect();
        seconds.insert(BARE.to_owned(), self.run(shares, spin, |steps| spin::call(*steps)).await?);
        let expected = spin::call(steps);
        let took = self.run(vec![steps; spins.number], spin, |_| expected).await?;
        seconds.insert(key(&spins, Way::Each), took);
        let data: Vec<_> = (0..echoes.number).map(|index| vec![index as u8; ECHO_BYTES]).collect();
        seconds.insert(key(&echoes, Way::Each), self.run(data, echo, Vec::clone).await?);
        Ok(seconds)
    }

    /// Runs a closure for each argument and returns the seconds. Compares each value with the expected one.
    async fn run<A, T>(
        &self,
        arguments: Vec<A>,
        closure: fn(A) -> Closure<T>,
        expected: impl Fn(&A) -> T,
    ) -> anyhow::Result<f64>
    where
        A: Send + 'static,
        T: PartialEq + DeserializeOwned + 'static,
    {
        let expected: Vec<_> = arguments.iter().map(expected).collect();
        let started = Instant::now();
        let mut map = self.submitter.map(arguments.into_iter().map(closure), &self.env);
        let mut values = Vec::with_capacity(expected.len());
        while let Some(value) = map.next().await {
            values.push(value?);
        }
        let took = started.elapsed().as_secs_f64();
        ensure!(values == expected, "a closure returned something else");
        Ok(took)
    }

    /// Returns the number of steps that take 50 ms of processor time.
    async fn calibrate(&self) -> anyhow::Result<u64> {
        const STEPS: u64 = 10_000_000;
        let mut map =
            self.submitter.map((0..5).map(|_| spin(STEPS)), &self.env).with_parallelism(1);
        while let Some(value) = map.next().await {
            value?;
        }
        let times = map.report().times.cpu;
        let fastest = (times.count() == 5).then(|| times.min()).context("no processor time")?;
        Ok((STEPS as f64 * SPIN_MICROSECONDS / fastest as f64) as u64)
    }
}
