//! Benchmark `bytes`: sends 256 MiB to a closure and back, on this machine, and copies them natively, alternately.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use bench_closures::{Record, RecordOfBytes, echo, echo_record, echo_record_of_bytes};
use hype::{Closure, LocalRunner, RunEnvironment, Stage, Submitter};
use hype_run::{Executor, GuestOutput, run};
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
const ROUNDS: usize = 15;

/// The minimum rate, in 10⁶ bytes per second.
const MIN_RATE: f64 = 600.0;

/// The maximum peak memory of the program, as a multiple of the payload. The guest is in a worker process.
const MAX_PROGRAM_MEMORY: f64 = 4.0;

/// The maximum peak memory of the guest, as a multiple of the payload.
const MAX_GUEST_MEMORY: f64 = 3.0;

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let component = ours.closures.to_str().context("the path is not UTF-8")?;
    let mut rows = Vec::new();
    for kind in ["Vec<u8>", "struct with hype::Bytes", "struct with Vec<u8>"] {
        let result = child::spawn("bytes", &[component, kind])?;
        let number = |name: &str| result[name].as_f64().with_context(|| format!("no {name}"));
        let goal = |text: String, reached| match kind {
            "Vec<u8>" => Goal::Target(text, reached),
            _ => Goal::None,
        };
        let rate = |name: &str| anyhow::Ok(SIZE as f64 / 1e6 / number(name)?);
        let (median, best, copy) = (rate("median")?, rate("min")?, rate("copy")?);
        let (program, guest) = (number("program")?, number("guest")?);
        rows.extend([
            Row {
                name: format!("256 MiB {kind}, to the closure and back: median (best)"),
                ours: format!("{median:.0} ({best:.0}) MB/s"),
                peer: format!("{copy:.0} MB/s"),
                ratio: Some(median / copy),
                goal: goal(format!("at least {MIN_RATE} MB/s"), median >= MIN_RATE),
            },
            Row::alone(
                "  peak memory of the program",
                format!("{program:.2} × payload"),
                goal(format!("at most {MAX_PROGRAM_MEMORY} ×"), program <= MAX_PROGRAM_MEMORY),
            ),
            Row::alone(
                "  peak memory of the guest",
                format!("{guest:.2} × payload"),
                goal(format!("at most {MAX_GUEST_MEMORY} ×"), guest <= MAX_GUEST_MEMORY),
            ),
        ]);
    }
    Ok(rows)
}

pub(crate) fn measure_here(component: &Path, kind: &str) -> anyhow::Result<Value> {
    let bytes = || (0..SIZE as u32).map(|index| (index >> 8 ^ index) as u8).collect::<Vec<u8>>();
    let name = || "bytes".to_owned();
    match kind {
        "struct with hype::Bytes" => {
            let record = || RecordOfBytes { name: name(), bytes: bytes().into() };
            measure_round_trip(component, "echo_record_of_bytes", record, echo_record_of_bytes)
        }
        "struct with Vec<u8>" => {
            let record = || Record { name: name(), bytes: bytes() };
            measure_round_trip(component, "echo_record", record, echo_record)
        }
        _ => measure_round_trip(component, "echo", bytes, echo),
    }
}

fn measure_round_trip<T: Serialize + DeserializeOwned + PartialEq + Send + 'static>(
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
    let (mut seconds, mut copies, mut peak) = (Vec::new(), Vec::new(), 0);
    // Each round sends what the last one returned, so that the host takes back less of the memory between two rounds.
    let mut value = make();
    for round in 0..ROUNDS {
        let started = Instant::now();
        value = runtime.block_on(submitter.submit(closure(value), &env))?;
        seconds.push(started.elapsed().as_secs_f64());
        if round == 0 {
            peak = memory("VmHWM")?;
        }
        copies.push(copy_natively());
    }
    ensure!(value == make(), "the closure returned other bytes");
    drop(value);
    drop(submitter);
    let guest = runtime.block_on(guest_peak_memory(component, function, argument(make())?))?;
    let (times, copies) = (Times::new(seconds), Times::new(copies));
    Ok(json!({
        "median": times.median(),
        "min": times.min(),
        "copy": copies.median(),
        "program": peak as f64 / SIZE as f64,
        "guest": guest as f64 / SIZE as f64,
    }))
}

/// Copies 256 MiB to new memory, and returns the time in seconds.
fn copy_natively() -> f64 {
    let bytes = vec![1; SIZE];
    let started = Instant::now();
    let copy = black_box(black_box(&bytes).clone());
    let seconds = started.elapsed().as_secs_f64();
    drop(copy);
    seconds
}

/// Returns the guest's peak memory in the same call, from the statistics of the outcome.
async fn guest_peak_memory(
    component: &Path,
    function: &str,
    arguments: Vec<u8>,
) -> anyhow::Result<u64> {
    let staged = Staged::new(component).await?;
    let request = staged.run("peak", function, arguments).await?;
    let executor = Executor::new();
    let finished = run(&executor, &request, GuestOutput::new(|_, _| {})).await?;
    Ok(finished.outcome.statistics.peak_memory)
}
