//! Benchmark `values`: encodes and decodes values in several formats, and sends them to a closure and back.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::ensure;
use bench_closures::{
    Message, Picture, echo, echo_blobs, echo_files, echo_floats, echo_matrix, echo_message,
    echo_numbers, echo_pairs, echo_picture, echo_text, echo_texts,
};
use hype::{Closure, LocalRunner, RunEnvironment, Stage, Submitter};
use hype_wire::codec;
use ndarray::Array2;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use crate::alternate::Times;
use crate::ours::Ours;
use crate::staged::runtime;
use crate::table::{Goal, Row};

/// The size of each value in memory, in bytes.
const SIZE: usize = 64 << 20;

/// The size of a value that serde buffers, in bytes. The buffer takes 32 bytes for each byte.
const BUFFERED: usize = 4 << 20;

const ROUNDS: usize = 5;

/// The minimum rate of bytes, in 10⁶ bytes per second and direction.
const MIN_BYTES_RATE: f64 = 300.0;

/// The minimum rate of numbers, in 10⁶ bytes per second and direction.
const MIN_NUMBERS_RATE: f64 = 200.0;

/// The minimum rate of text, as a fraction of the rate of bytes.
const MIN_TEXT_RATE: f64 = 0.7;

pub(crate) fn measure(_: &Ours) -> anyhow::Result<Vec<Row>> {
    let mut bench = Bench::new()?;
    let whole = bench.value("Vec<u8>", SIZE, None, || bytes(SIZE), echo)?;
    let text_goal = Some(MIN_TEXT_RATE * whole);
    bench.value("String", SIZE, text_goal, || text(SIZE), echo_text)?;
    let bytes_goal = Some(MIN_BYTES_RATE);
    let picture = || Picture { name: "hype".into(), png: bytes(SIZE) };
    bench.value("struct with Vec<u8>", SIZE, bytes_goal, picture, echo_picture)?;
    let blobs = || vec![bytes(1 << 16); SIZE >> 16];
    bench.value("Vec<Vec<u8>>", SIZE, bytes_goal, blobs, echo_blobs)?;
    let file = |index| (format!("file {index}"), bytes(1 << 20));
    let files = || (0..SIZE >> 20).map(file).collect::<BTreeMap<_, _>>();
    bench.value("map of Vec<u8>", SIZE, bytes_goal, files, echo_files)?;
    let message = || Message::Picture { png: bytes(BUFFERED) };
    bench.value("tagged enum with Vec<u8>", BUFFERED, None, message, echo_message)?;
    let numbers_goal = Some(MIN_NUMBERS_RATE);
    let floats = || (0..SIZE / 8).map(|index| index as f64 / 4.0).collect::<Vec<_>>();
    bench.value("Vec<f64>", SIZE, numbers_goal, floats, echo_floats)?;
    let number = |index| (index as u32).wrapping_mul(2_654_435_761);
    let numbers = || (0..SIZE / 4).map(number).collect::<Vec<_>>();
    bench.value("Vec<u32>", SIZE, numbers_goal, numbers, echo_numbers)?;
    let pairs = || (0..SIZE / 8).map(|index| (index as u32, index as f32)).collect::<Vec<_>>();
    bench.value("Vec<(u32, f32)>", SIZE, numbers_goal, pairs, echo_pairs)?;
    let matrix =
        || Array2::from_shape_fn((SIZE >> 13, 1 << 10), |(row, column)| (row * column) as f64);
    bench.value("ndarray::Array2<f64>", SIZE, numbers_goal, matrix, echo_matrix)?;
    let texts = || vec![text(100); SIZE / 100];
    bench.value("Vec<String> of 100 bytes", SIZE, None, texts, echo_texts)?;
    Ok(bench.rows)
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length as u32).map(|index| (index >> 8 ^ index) as u8).collect()
}

fn text(length: usize) -> String {
    (0..length).map(|index| (b'a' + (index % 26) as u8) as char).collect()
}

struct Bench {
    rows: Vec<Row>,
    runtime: Runtime,
    submitter: Submitter,
    env: RunEnvironment,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> anyhow::Result<Self> {
        let (runtime, directory) = (runtime()?, tempfile::tempdir()?);
        let submitter =
            Submitter::new(Stage::in_directory(directory.path())?, LocalRunner::new()?)?;
        let env = RunEnvironment::new();
        runtime.block_on(submitter.submit(bench_closures::greet("you".into()), &env))?;
        Ok(Self { rows: Vec::new(), runtime, submitter, env, _directory: directory })
    }

    /// Measures a value of `size` bytes, and returns its rate to a closure or back, in 10⁶ bytes per second.
    fn value<T: Serialize + DeserializeOwned + PartialEq + Send + 'static>(
        &mut self,
        name: &str,
        size: usize,
        goal: Option<f64>,
        make: impl Fn() -> T,
        closure: impl Fn(T) -> Closure<T>,
    ) -> anyhow::Result<f64> {
        let rate = |seconds: f64| size as f64 / 1e6 / seconds;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let value = make();
            let started = Instant::now();
            let returned =
                self.runtime.block_on(self.submitter.submit(closure(value), &self.env))?;
            // Half of the round trip.
            times.push(started.elapsed().as_secs_f64() / 2.0);
            ensure!(returned == make(), "the closure returned another value");
        }
        let round_trip_rate = rate(Times::new(times).median());
        let goal = goal.map_or(Goal::None, |goal| {
            Goal::Target(format!("at least {goal:.0} MB/s"), round_trip_rate >= goal)
        });
        self.rows.push(Row::alone(
            format!("{name}: to a closure and back, per direction"),
            format!("{round_trip_rate:.0} MB/s"),
            goal,
        ));
        let value = make();
        let formats: [(&str, Format<T>); 3] = [
            ("hype", (&|value| Ok(codec::to_vec(value)?), &|bytes| Ok(codec::from_slice(bytes)?))),
            (
                "postcard",
                (&|value| Ok(postcard::to_allocvec(value)?), &|bytes| {
                    Ok(postcard::from_bytes(bytes)?)
                }),
            ),
            (
                "serde_json",
                (&|value| Ok(serde_json::to_vec(value)?), &|bytes| {
                    Ok(serde_json::from_slice(bytes)?)
                }),
            ),
        ];
        let figures = formats.map(|(name, (write, read))| {
            let figure = native(&value, write, read);
            (name, figure.map(|(written, read)| (rate(written), rate(read))))
        });
        for (format, figure) in figures {
            let figure = figure.map_or_else(
                |error| format!("no: {error}"),
                |(written, read)| format!("{written:.0}, {read:.0} MB/s"),
            );
            self.rows.push(Row::alone(format!("  {format} writes, reads"), figure, Goal::None));
        }
        let copied = rate(copy(size));
        self.rows.push(Row::alone("  memcpy", format!("{copied:.0} MB/s"), Goal::None));
        Ok(round_trip_rate)
    }
}

/// The functions of a format that encode and decode a value.
type Format<'a, T> =
    (&'a dyn Fn(&T) -> anyhow::Result<Vec<u8>>, &'a dyn Fn(&[u8]) -> anyhow::Result<T>);

/// Returns the median times of encoding and of decoding `value`, in seconds.
fn native<T: PartialEq>(
    value: &T,
    write: &dyn Fn(&T) -> anyhow::Result<Vec<u8>>,
    read: &dyn Fn(&[u8]) -> anyhow::Result<T>,
) -> anyhow::Result<(f64, f64)> {
    let (mut written, mut was_read) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let bytes = write(value)?;
        written.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        let decoded = read(&bytes)?;
        was_read.push(started.elapsed().as_secs_f64());
        ensure!(decoded == *value, "the decoded value differs");
    }
    Ok((Times::new(written).median(), Times::new(was_read).median()))
}

/// Returns the median time of copying `size` bytes, in seconds.
fn copy(size: usize) -> f64 {
    let bytes = bytes(size);
    let copies = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        black_box(black_box(&bytes).clone());
        started.elapsed().as_secs_f64()
    });
    Times::new(copies.collect()).median()
}
