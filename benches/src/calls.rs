//! Benchmark `calls`: many trivial calls in one process, each in a new instance and sandbox.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use hype::Failure;
use hype_run::{
    CancellationToken, Execution, Executor, GuestOutput, ItemCall, Prepared, RunRequest,
};
use hype_wire::{Call, Payload, Powers};
use serde_json::{Value, json};

use crate::alternate::Times;
use crate::child;
use crate::ours::Ours;
use crate::process::memory;
use crate::staged::{Staged, argument, runtime};
use crate::table::{Goal, Row, milliseconds};

const CALLS: usize = 100_000;

/// The number of times that the modes of worker processes are measured, one after the other.
const ROUNDS: usize = 5;

const THREADS: usize = 2;

/// The minimum rate, in calls per second.
const MIN_RATE: f64 = 12_000.0;

/// The minimum rate in worker processes, in calls per second.
const MIN_WORKER_RATE: f64 = 45_000.0;

/// The minimum rate of two workers, as a multiple of that of one.
const MIN_SCALING: f64 = 1.9;

/// The number of calls in a batch.
const BATCH: usize = 64;

/// The maximum time from the kill of a worker to the end of the next call, in seconds.
const MAX_REPLACED: f64 = 0.015;

/// The number of workers that are killed.
const KILLS: usize = 50;

/// The time after which the call of a worker is cancelled.
const RUNNING: Duration = Duration::from_millis(5);

/// The maximum growth of memory between the first tenth of the calls and the end, in MiB.
const MAX_GROWTH: f64 = 4.0;

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let component = ours.closures.to_str().context("the path is not UTF-8")?;
    let measure = |executor: &str| {
        let result = child::spawn("calls", &[component, executor, &CALLS.to_string()])?;
        let number = |name: &str| result[name].as_f64().with_context(|| format!("no {name}"));
        anyhow::Ok((number("rate")?, number("before")?, number("after")?))
    };
    let (on_demand, ..) = measure("on demand")?;
    let modes = ["workers", "batches", "batches in one"];
    let mut times = modes.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (mode, times) in modes.iter().zip(&mut times) {
            times.push(1.0 / measure(mode)?.0);
        }
    }
    let [in_workers, in_batches, in_one] = times.map(|times| 1.0 / Times::new(times).median());
    let scaling = in_batches / in_one;
    let replaced = child::spawn("replacement", &[component])?;
    let replaced = replaced["seconds"].as_f64().context("no time")?;
    let (rate, before, after) = measure("pooled")?;
    let growth = after - before;
    Ok(vec![
        Row::alone(
            format!("trivial calls on {THREADS} threads"),
            format!("{rate:.0} per second"),
            Goal::Target(format!("at least {MIN_RATE}"), rate >= MIN_RATE),
        ),
        Row::alone(
            format!("  in {THREADS} worker processes, alone"),
            format!("{in_workers:.0} per second"),
            Goal::None,
        ),
        Row::alone(
            format!("  in {THREADS} worker processes, in batches of {BATCH}"),
            format!("{in_batches:.0} per second"),
            Goal::Target(format!("at least {MIN_WORKER_RATE}"), in_batches >= MIN_WORKER_RATE),
        ),
        Row::alone(
            "  the same in one worker process",
            format!("{in_one:.0} per second, {scaling:.2} × with two"),
            Goal::Target(format!("at least {MIN_SCALING} ×"), scaling >= MIN_SCALING),
        ),
        Row::alone(
            "  from the kill of a worker to the end of the next call",
            milliseconds(replaced),
            Goal::Target(format!("under {}", milliseconds(MAX_REPLACED)), replaced < MAX_REPLACED),
        ),
        Row::alone("  without a memory pool", format!("{on_demand:.0} per second"), Goal::None),
        Row::alone(
            format!("memory from call {} to {CALLS}", CALLS / 10),
            format!("{before:.1} to {after:.1} MiB"),
            Goal::Target(format!("flat (± {MAX_GROWTH} MiB)"), growth <= MAX_GROWTH),
        ),
    ])
}

pub(crate) fn measure_here(component: &Path, mode: &str, count: usize) -> anyhow::Result<Value> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    let executor = match mode {
        "pooled" => Executor::pooled(THREADS),
        "workers" | "batches" | "batches in one" => Executor::in_workers(THREADS),
        _ => Executor::new(),
    };
    let kind = runtime.block_on(executor.code_kind(&Powers::default()));
    let staged = runtime.block_on(Staged::with_code(component, kind))?;
    let request = runtime.block_on(staged.run("calls", "greet", argument("you".to_owned())?))?;
    let (executor, request) = (&*Box::leak(Box::new(executor)), &*Box::leak(Box::new(request)));
    let prepared = runtime.block_on(Prepared::fetch(executor, request)).map_err(failed)?;
    let (prepared, greet) = &*Box::leak(Box::new(prepared));
    let first = count / 10;
    let call = async |count| match mode {
        "batches" => call_in_batches(prepared, greet, count, THREADS).await,
        "batches in one" => call_in_batches(prepared, greet, count, 1).await,
        _ => call(prepared, greet, count).await,
    };
    runtime.block_on(call(first))?;
    let before = memory("VmRSS")?;
    let started = Instant::now();
    runtime.block_on(call(count - first))?;
    let rate = (count - first) as f64 / started.elapsed().as_secs_f64();
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Ok(json!({
        "rate": rate,
        "before": mebibytes(before),
        "after": mebibytes(memory("VmRSS")?),
    }))
}

/// Measures the median time from the kill of a worker to the end of the next call.
pub(crate) fn measure_replacement(component: &Path) -> anyhow::Result<Value> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let executor = Executor::in_workers(1);
        let kind = executor.code_kind(&Powers::default()).await;
        let staged = Staged::with_code(component, kind).await?;
        let request = staged.run("calls", "greet", argument("you".to_owned())?).await?;
        let long = staged.run("long", "sha256", argument(1_usize << 10)?).await?;
        let (prepared, greet) = Prepared::fetch(&executor, &request).await.map_err(failed)?;
        let quiet = || GuestOutput::new(|_, _| {});
        let mut seconds = Vec::new();
        for _ in 0..KILLS {
            let interrupt = CancellationToken::new();
            let request = RunRequest { interrupt: interrupt.clone(), ..long.clone() };
            let (killed, sha256) = Prepared::fetch(&executor, &request).await.map_err(failed)?;
            let cancel = async {
                tokio::time::sleep(RUNNING).await;
                interrupt.cancel();
            };
            let output = quiet();
            let (ended, ()) = tokio::join!(killed.call(&sha256, &output), cancel);
            ensure!(ended.value.is_err(), "a cancelled call has ended");
            let started = Instant::now();
            prepared.call(&greet, &quiet()).await.value.map_err(failed)?;
            seconds.push(started.elapsed().as_secs_f64());
        }
        Ok(json!({ "seconds": Times::new(seconds).median() }))
    })
}

/// Calls the function `count` times, on all threads concurrently.
async fn call(
    prepared: &'static Prepared<&'static Executor>,
    greet: &'static Call,
    count: usize,
) -> anyhow::Result<()> {
    let expected = hype_wire::codec::to_vec("hello you")?;
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let expected = expected.clone();
            tokio::spawn(async move {
                for _ in 0..count / THREADS {
                    let output = GuestOutput::new(|_, _| {});
                    let value = prepared.call(greet, &output).await.value.map_err(failed)?;
                    ensure!(value == expected, "the closure returned {value:?}");
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.await??;
    }
    Ok(())
}

/// Calls the function about `count` times, in batches on `threads` threads concurrently.
async fn call_in_batches(
    prepared: &'static Prepared<&'static Executor>,
    greet: &'static Call,
    count: usize,
    threads: usize,
) -> anyhow::Result<()> {
    let expected = hype_wire::codec::to_vec("hello you")?;
    let Payload::Inline(arguments) = &greet.arguments else { return Err(anyhow!("no arguments")) };
    let threads: Vec<_> = (0..threads)
        .map(|_| {
            let expected = expected.clone();
            tokio::spawn(async move {
                let arguments = bytes::Bytes::copy_from_slice(arguments);
                let call =
                    ItemCall { function: &greet.function, arguments, seed: None, memory: None };
                let calls = vec![call; BATCH];
                for _ in 0..count / threads / BATCH {
                    let outputs: Vec<_> =
                        calls.iter().map(|_| GuestOutput::new(|_, _| {})).collect();
                    let mut returned = 0;
                    let mut count = |execution: Execution| {
                        returned += usize::from(execution.value.is_ok_and(|it| it == expected));
                    };
                    prepared.call_items(&calls, &outputs, &mut count).await;
                    ensure!(returned == BATCH, "{returned} of {BATCH} calls returned");
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.await??;
    }
    Ok(())
}

fn failed(failure: Failure) -> anyhow::Error {
    anyhow!("{}: {}", failure.message, failure.causes.join(": "))
}
