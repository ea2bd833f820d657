//! Many trivial calls in one process, each in an instance and a sandbox of its own.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use hype::Failure;
use hype_run::{Executor, Output, Prepared};
use hype_wire::Call;
use serde_json::{Value, json};

use crate::child;
use crate::ours::Ours;
use crate::process::memory;
use crate::staged::{Staged, argument};
use crate::table::{Goal, Row};

const CALLS: usize = 100_000;
const THREADS: usize = 2;

/// The goals: calls a second, and how much memory may grow while they are made.
const RATE: f64 = 12_000.0;
const GROWTH: f64 = 4.0;

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let component = ours.closures.to_str().context("a path that is UTF-8")?;
    let ask = |executor: &str| {
        let answer = child::ask("calls", &[component, executor, &CALLS.to_string()])?;
        let number = |name: &str| answer[name].as_f64().with_context(|| format!("no {name}"));
        anyhow::Ok((number("rate")?, number("before")?, number("after")?))
    };
    let (on_demand, ..) = ask("on demand")?;
    let (rate, before, after) = ask("pooled")?;
    let growth = after - before;
    Ok(vec![
        Row::alone(
            format!("trivial calls on {THREADS} threads"),
            format!("{rate:.0} a second"),
            Goal::Is(format!("at least {RATE}"), rate >= RATE),
        ),
        Row::alone("  without room set aside", format!("{on_demand:.0} a second"), Goal::None),
        Row::alone(
            format!("memory from call {} to {CALLS}", CALLS / 10),
            format!("{before:.1} to {after:.1} MiB"),
            Goal::Is(format!("flat (± {GROWTH} MiB)"), growth <= GROWTH),
        ),
    ])
}

pub(crate) fn in_this_process(
    component: &Path,
    executor: &str,
    count: usize,
) -> anyhow::Result<Value> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    let staged = runtime.block_on(Staged::new(component))?;
    let executor = match executor {
        "pooled" => Executor::pooled(THREADS),
        _ => Executor::new(),
    };
    let request = runtime.block_on(staged.run("calls", "greet", argument("you".to_owned())?))?;
    let (executor, request) = (&*Box::leak(Box::new(executor)), &*Box::leak(Box::new(request)));
    let prepared = runtime.block_on(Prepared::fetch(executor, request)).map_err(failed)?;
    let (prepared, greet) = &*Box::leak(Box::new(prepared));
    let first = count / 10;
    runtime.block_on(call(prepared, greet, first))?;
    let before = memory("VmRSS")?;
    let started = Instant::now();
    runtime.block_on(call(prepared, greet, count - first))?;
    let rate = (count - first) as f64 / started.elapsed().as_secs_f64();
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Ok(json!({
        "rate": rate,
        "before": mebibytes(before),
        "after": mebibytes(memory("VmRSS")?),
    }))
}

/// Calls `count` times, on all threads at once.
async fn call(
    prepared: &'static Prepared<'static>,
    greet: &'static Call,
    count: usize,
) -> anyhow::Result<()> {
    let expected = hype_wire::codec::to_vec("hello you")?;
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let expected = expected.clone();
            tokio::spawn(async move {
                for _ in 0..count / THREADS {
                    let output = Output::new(|_, _| {});
                    let value = prepared.call(greet, &output).await.value.map_err(failed)?;
                    ensure!(value == expected, "another value: {value:?}");
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
