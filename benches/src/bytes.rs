//! 256 MiB to a closure and back, through a stage on disk.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use bench_closures::{Record, RecordOfBytes, echo, echo_record, echo_record_of_bytes};
use hype::{Closure, LocalRunner, RunEnvironment, Stage, Submitter};
use hype_run::{Executor, Output, run};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::alternate::Times;
use crate::child;
use crate::ours::Ours;
use crate::process::memory;
use crate::staged::{Staged, argument, runtime};
use crate::table::{Goal, Row};

const SIZE: usize = 256 << 20;
const ROUNDS: usize = 5;

/// The goals: 10⁶ bytes a second, and how many times the payload memory may be.
const RATE: f64 = 300.0;
const HOST: f64 = 4.0;
const GUEST: f64 = 3.0;

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let component = ours.closures.to_str().context("a path that is UTF-8")?;
    let mut rows = Vec::new();
    for kind in ["Vec<u8>", "struct with hype::Bytes", "struct with Vec<u8>"] {
        let answer = child::ask("bytes", &[component, kind])?;
        let number = |name: &str| answer[name].as_f64().with_context(|| format!("no {name}"));
        let goal = |text: String, reached| match kind {
            "Vec<u8>" => Goal::Is(text, reached),
            _ => Goal::None,
        };
        let rate = SIZE as f64 / 1e6 / number("median")?;
        let best = SIZE as f64 / 1e6 / number("least")?;
        let (host, guest) = (number("host")?, number("guest")?);
        rows.extend([
            Row::alone(
                format!("256 MiB {kind}, in and out: median (best)"),
                format!("{rate:.0} ({best:.0}) MB/s"),
                goal(format!("at least {RATE} MB/s"), rate >= RATE),
            ),
            Row::alone(
                "  peak of the process besides the guest",
                format!("{host:.2} × payload"),
                goal(format!("at most {HOST} ×"), host <= HOST),
            ),
            Row::alone(
                "  peak of the guest",
                format!("{guest:.2} × payload"),
                goal(format!("at most {GUEST} ×"), guest <= GUEST),
            ),
        ]);
    }
    Ok(rows)
}

pub(crate) fn in_this_process(component: &Path, kind: &str) -> anyhow::Result<Value> {
    let bytes = || (0..SIZE as u32).map(|index| (index >> 8 ^ index) as u8).collect::<Vec<u8>>();
    let name = || "bytes".to_owned();
    match kind {
        "struct with hype::Bytes" => {
            let record = || RecordOfBytes { name: name(), bytes: bytes().into() };
            cross(component, "echo_record_of_bytes", record, echo_record_of_bytes)
        }
        "struct with Vec<u8>" => {
            let record = || Record { name: name(), bytes: bytes() };
            cross(component, "echo_record", record, echo_record)
        }
        _ => cross(component, "echo", bytes, echo),
    }
}

fn cross<T: Serialize + DeserializeOwned + PartialEq + Send + 'static>(
    component: &Path,
    function: &str,
    make: impl Fn() -> T,
    closure: impl Fn(T) -> Closure<T>,
) -> anyhow::Result<Value> {
    let runtime = runtime()?;
    let directory = tempfile::tempdir()?;
    let submitter = Submitter::new(Stage::in_directory(directory.path())?, LocalRunner::new()?)?;
    let env = RunEnvironment::new();
    let hello = bench_closures::greet("you".into());
    runtime.block_on(submitter.submit(hello, &env))?;
    let (mut seconds, mut peak) = (Vec::new(), 0);
    for round in 0..ROUNDS {
        let value = make();
        let started = Instant::now();
        let given = runtime.block_on(submitter.submit(closure(value), &env))?;
        seconds.push(started.elapsed().as_secs_f64());
        if round == 0 {
            peak = memory("VmHWM")?;
        }
        ensure!(given == make(), "other bytes came back");
    }
    drop(submitter);
    let guest = runtime.block_on(peak_of_guest(component, function, argument(make())?))?;
    let times = Times::of(seconds);
    Ok(json!({
        "median": times.median(),
        "least": times.least(),
        "host": peak.saturating_sub(guest) as f64 / SIZE as f64,
        "guest": guest as f64 / SIZE as f64,
    }))
}

/// What the guest's memory grows to in the same call, as the statistics of an outcome tell.
async fn peak_of_guest(
    component: &Path,
    function: &str,
    arguments: Vec<u8>,
) -> anyhow::Result<u64> {
    let staged = Staged::new(component).await?;
    let request = staged.run("peak", function, arguments).await?;
    let executor = Executor::new();
    let finished = run(&executor, &request, Output::new(|_, _| {})).await?;
    Ok(finished.outcome.statistics.peak_memory)
}
