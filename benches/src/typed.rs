//! Benchmark `typed`: the same values through a function with WIT types and through a closure, alternately.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use bench_closures::{Item, Place, echo};
use cargo_hype::cargo::Cargo;
use hype::{Closure, Component, Failure, LocalRunner, RunEnvironment, Stage, Submitter};
use hype_run::{Executor, GuestOutput, Prepared, RunRequest};
use hype_wire::{Call, FunctionRef};
use tokio::runtime::Runtime;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

use crate::alternate::alternate;
use crate::ours::Ours;
use crate::staged::{Staged, argument, runtime};
use crate::table::{Goal, Row};

/// The size of the records as MessagePack, in bytes.
const RECORDS: usize = 1_000_000;

/// The minimum rate of records, in 10⁶ bytes per second and direction.
const MIN_RECORDS_RATE: f64 = 100.0;

/// The maximum time of records, as a multiple of the time of a closure.
const MAX_RECORDS: f64 = 3.0;

const RECORD_ROUNDS: usize = 200;

const BYTES: usize = 256 << 20;
const BYTE_ROUNDS: usize = 7;

/// The maximum time of bytes, as a multiple of the time of a closure.
const MAX_BYTES: f64 = 1.05;

/// The calls of each round, and the rounds.
const CALLS: usize = 2_000;
const CALL_ROUNDS: usize = 15;

/// The maximum time of trivial calls, as a multiple of the time of a closure: 0.8 times as many calls.
const MAX_CALLS: f64 = 1.25;

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let typed = build(&ours.root)?;
    let runtime = runtime()?;
    let mut rows = records(&runtime, ours, &typed)?;
    rows.push(calls(&runtime, ours, &typed)?);
    rows.push(bytes(&runtime, &typed)?);
    Ok(rows)
}

/// Builds the component of `typed/` without hype, and returns its path.
fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let build = ["build", "-p", "bench-typed", "--release", "--target", "wasm32-wasip1"];
    let arguments = build.map(Into::into).into();
    let cargo = Cargo { directory: root, arguments, variables: Vec::new() };
    let artifacts = cargo.build()?.artifacts().context("bench-typed doesn't compile")?;
    let module = artifacts
        .into_iter()
        .flat_map(|artifact| artifact.filenames)
        .find(|file| file.as_str().ends_with("bench_typed.wasm"));
    let module = PathBuf::from(module.context("cargo built no module")?);
    let component = ComponentEncoder::default()
        .module(&std::fs::read(&module)?)?
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
        .encode()?;
    let path = module.with_extension("component.wasm");
    std::fs::write(&path, component)?;
    Ok(path)
}

/// Returns records whose MessagePack has `size` bytes, or a little more.
fn items(size: usize) -> anyhow::Result<Vec<Item>> {
    let item = |id: u32| Item {
        id,
        name: format!("item number {id}"),
        tags: ["first", "second one", "3"].map(str::to_owned).into(),
        place: Place { latitude: f64::from(id) / 7.0, longitude: f64::from(id) / -3.0 },
        note: (!id.is_multiple_of(3))
            .then(|| format!("a remark about {id}, which is a little longer")),
    };
    let each = argument((0..1000).map(item).collect::<Vec<_>>())?.len() / 1000;
    Ok((0..size.div_ceil(each) as u32).map(item).collect())
}

fn records(runtime: &Runtime, ours: &Ours, typed: &Path) -> anyhow::Result<Vec<Row>> {
    let arguments = argument(items(RECORDS)?)?;
    let size = arguments.len();
    let closure = Callee::new(runtime, &ours.closures, closure("echo_items"), &arguments)?;
    let typed = Callee::new(runtime, typed, export("echo-items"), &arguments)?;
    let (typed, closure) = alternate(
        RECORD_ROUNDS,
        || runtime.block_on(typed.call(&arguments)),
        || runtime.block_on(closure.call(&arguments)),
    )?;
    let (typed, closure) = (typed.median(), closure.median());
    let rate = 2.0 * size as f64 / 1e6 / typed;
    Ok(vec![
        Row::compare("1 MB of nested records, there and back", typed, closure, Some(MAX_RECORDS)),
        Row::alone(
            "  rate in each direction",
            format!("{rate:.0} MB/s"),
            Goal::Target(format!("at least {MIN_RECORDS_RATE} MB/s"), rate >= MIN_RECORDS_RATE),
        ),
    ])
}

fn calls(runtime: &Runtime, ours: &Ours, typed: &Path) -> anyhow::Result<Row> {
    let arguments = argument("you".to_owned())?;
    let closure = Callee::new(runtime, &ours.closures, closure("greet"), &arguments)?;
    let typed = Callee::new(runtime, typed, export("greet"), &arguments)?;
    let expected = hype_wire::codec::to_vec("hello you")?;
    let (typed, closure) = alternate(
        CALL_ROUNDS,
        || runtime.block_on(typed.call_often(&expected)),
        || runtime.block_on(closure.call_often(&expected)),
    )?;
    let each = |seconds: f64| seconds / CALLS as f64;
    let (typed, closure) = (each(typed.median()), each(closure.median()));
    Ok(Row::compare("trivial call, one after the other", typed, closure, Some(MAX_CALLS)))
}

/// A function that is ready to be called.
struct Callee {
    prepared: &'static Prepared<&'static Executor>,
    call: &'static Call,
}

impl Callee {
    fn new(
        runtime: &Runtime,
        component: &Path,
        function: FunctionRef,
        arguments: &[u8],
    ) -> anyhow::Result<Self> {
        let executor: &Executor = Box::leak(Box::new(Executor::pooled(2)));
        runtime.block_on(async {
            let staged = Staged::new(component).await?;
            let request = staged.run_function("typed", function, arguments.to_vec()).await?;
            let request: &RunRequest = Box::leak(Box::new(request));
            let (prepared, call) = Prepared::fetch(executor, request).await.map_err(failed)?;
            // A large argument is read from the stage by each call.
            Box::leak(Box::new(staged));
            let prepared = Box::leak(Box::new(prepared));
            Ok(Self { prepared, call: Box::leak(Box::new(call)) })
        })
    }

    /// Makes one call whose value has as many bytes as its only argument. Returns the time in the sandbox.
    async fn call(&self, arguments: &[u8]) -> anyhow::Result<Duration> {
        let execution = self.prepared.call(self.call, &GuestOutput::new(|_, _| {})).await;
        let time = Duration::from_micros(execution.start_us + execution.run_us);
        let value = execution.value.map_err(failed)?;
        // The arguments are a list of the value, whose head has one byte.
        ensure!(value.len() + 1 == arguments.len(), "the value has {} bytes", value.len());
        Ok(time)
    }

    async fn call_often(&self, expected: &[u8]) -> anyhow::Result<Duration> {
        let started = Instant::now();
        for _ in 0..CALLS {
            let execution = self.prepared.call(self.call, &GuestOutput::new(|_, _| {})).await;
            ensure!(execution.value.map_err(failed)? == expected, "another value");
        }
        Ok(started.elapsed())
    }
}

fn closure(name: &str) -> FunctionRef {
    FunctionRef::Closure(name.to_owned())
}

fn export(name: &str) -> FunctionRef {
    FunctionRef::Export {
        interface: Some("bench:typed/items".to_owned()),
        function: name.to_owned(),
    }
}

fn failed(failure: Failure) -> anyhow::Error {
    anyhow!("{}: {}", failure.message, failure.causes.join(": "))
}

/// Submits 256 MiB to each function and back, through a stage on disk.
fn bytes(runtime: &Runtime, typed: &Path) -> anyhow::Result<Row> {
    let directory = tempfile::tempdir()?;
    let submitter = Submitter::new(Stage::in_directory(directory.path())?, LocalRunner::new()?)?;
    let env = RunEnvironment::new();
    let sent: Vec<u8> = (0..BYTES as u32).map(|index| (index >> 8 ^ index) as u8).collect();
    let function = Component::open(typed)?.function("echo-bytes")?;
    let submit = |closure: Closure<Vec<u8>>| {
        let started = Instant::now();
        let returned = runtime.block_on(submitter.submit(closure, &env))?;
        let time = started.elapsed();
        ensure!(returned == sent, "other bytes");
        Ok(time)
    };
    let (typed, closure) = alternate(
        BYTE_ROUNDS,
        || submit(function.clone().bind((serde_bytes(&sent),))),
        || submit(echo(sent.clone())),
    )?;
    let (typed, closure) = (typed.median(), closure.median());
    Ok(Row::compare("256 MiB of bytes by submit, there and back", typed, closure, Some(MAX_BYTES)))
}

fn serde_bytes(bytes: &[u8]) -> hype::Bytes {
    hype::Bytes(bytes.to_vec())
}
