//! What values cost: to write and to read them, beside other formats; and on their way to a closure and
//! back.

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

/// The memory that each value takes.
const SIZE: usize = 64 << 20;

/// The memory of a value that serde keeps in its own buffer, which takes 32 bytes for each byte.
const BUFFERED: usize = 4 << 20;

const ROUNDS: usize = 5;

/// The goals: 10⁶ bytes a second, each way.
const BYTES: f64 = 300.0;
const NUMBERS: f64 = 200.0;

/// The goal for text, as a fraction of the speed of bytes.
const TEXT: f64 = 0.7;

pub(crate) fn measure(_: &Ours) -> anyhow::Result<Vec<Row>> {
    let mut bench = Bench::new()?;
    let whole = bench.value("Vec<u8>", SIZE, None, || bytes(SIZE), echo)?;
    let text_goal = Some(TEXT * whole);
    bench.value("String", SIZE, text_goal, || text(SIZE), echo_text)?;
    let bytes_goal = Some(BYTES);
    let picture = || Picture { name: "hype".into(), png: bytes(SIZE) };
    bench.value("struct with Vec<u8>", SIZE, bytes_goal, picture, echo_picture)?;
    let blobs = || vec![bytes(1 << 16); SIZE >> 16];
    bench.value("Vec<Vec<u8>>", SIZE, bytes_goal, blobs, echo_blobs)?;
    let file = |index| (format!("file {index}"), bytes(1 << 20));
    let files = || (0..SIZE >> 20).map(file).collect::<BTreeMap<_, _>>();
    bench.value("map of Vec<u8>", SIZE, bytes_goal, files, echo_files)?;
    let message = || Message::Picture { png: bytes(BUFFERED) };
    bench.value("tagged enum with Vec<u8>", BUFFERED, None, message, echo_message)?;
    let numbers_goal = Some(NUMBERS);
    let floats = || (0..SIZE / 8).map(|index| index as f64 / 4.0).collect::<Vec<_>>();
    bench.value("Vec<f64>", SIZE, numbers_goal, floats, echo_floats)?;
    let numbers = || (0..SIZE / 4).map(|index| (index as u32).wrapping_mul(2_654_435_761));
    let numbers = || numbers().collect::<Vec<_>>();
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

    /// Measures a value that takes `size` bytes of memory, and gives how fast it crosses.
    fn value<T: Serialize + DeserializeOwned + PartialEq + Send + 'static>(
        &mut self,
        name: &str,
        size: usize,
        goal: Option<f64>,
        make: impl Fn() -> T,
        closure: impl Fn(T) -> Closure<T>,
    ) -> anyhow::Result<f64> {
        let rate = |seconds: f64| size as f64 / 1e6 / seconds;
        let mut trips = Vec::new();
        for _ in 0..ROUNDS {
            let value = make();
            let started = Instant::now();
            let given = self.runtime.block_on(self.submitter.submit(closure(value), &self.env))?;
            // There and back.
            trips.push(started.elapsed().as_secs_f64() / 2.0);
            ensure!(given == make(), "another value came back");
        }
        let crosses = rate(Times::of(trips).median());
        let goal = goal.map_or(Goal::None, |goal| {
            Goal::Is(format!("at least {goal:.0} MB/s"), crosses >= goal)
        });
        self.rows.push(Row::alone(
            format!("{name}: to a closure and back, each way"),
            format!("{crosses:.0} MB/s"),
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
        Ok(crosses)
    }
}

/// Functions by which a format writes and reads a value.
type Format<'a, T> =
    (&'a dyn Fn(&T) -> anyhow::Result<Vec<u8>>, &'a dyn Fn(&[u8]) -> anyhow::Result<T>);

/// The medians of writing and of reading `value`, in seconds.
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
        let again = read(&bytes)?;
        was_read.push(started.elapsed().as_secs_f64());
        ensure!(again == *value, "another value was read");
    }
    Ok((Times::of(written).median(), Times::of(was_read).median()))
}

/// The median of copying so many bytes, in seconds.
fn copy(size: usize) -> f64 {
    let bytes = bytes(size);
    let copies = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        black_box(black_box(&bytes).clone());
        started.elapsed().as_secs_f64()
    });
    Times::of(copies.collect()).median()
}
