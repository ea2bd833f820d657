//! What `submit` adds to the time of a closure whose component is staged already.

use std::time::Instant;

use anyhow::ensure;
use bench_closures::greet;
use hype::{LocalRunner, RunEnvironment, Stage, Submitter};

use crate::alternate::Times;
use crate::ours::Ours;
use crate::staged::runtime;
use crate::table::{Goal, Row, milliseconds};

const ROUNDS: usize = 200;

/// The goal, in seconds.
const OVERHEAD: f64 = 0.010;

pub(crate) fn measure(_: &Ours) -> anyhow::Result<Vec<Row>> {
    let runtime = runtime()?;
    let directory = tempfile::tempdir()?;
    let submitter = Submitter::new(Stage::in_directory(directory.path())?, LocalRunner::new()?)?;
    let env = RunEnvironment::new();
    let mut seconds = Vec::new();
    // The first one compiles or loads; the component is unchanged from then on.
    for round in 0..=ROUNDS {
        let started = Instant::now();
        let greeting = runtime.block_on(submitter.submit(greet("you".into()), &env))?;
        if round > 0 {
            seconds.push(started.elapsed().as_secs_f64());
        }
        ensure!(greeting == "hello you", "another value: {greeting}");
    }
    let times = Times::of(seconds);
    Ok(vec![Row::alone(
        "submit of an unchanged component, closure included",
        format!("{} ({})", milliseconds(times.median()), milliseconds(times.least())),
        Goal::Is(format!("under {}", milliseconds(OVERHEAD)), times.median() < OVERHEAD),
    )])
}
