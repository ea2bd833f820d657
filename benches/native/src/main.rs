//! The native side of the benchmark `compute`: calls a measured function for each line of standard input.
//!
//! A line is the name of a function and its arguments: `sha256 64`, `thumbnail PATH 64`. The answer is a line with the
//! nanoseconds of processor time of the call and the digest of its value, as a closure encodes it.

#![expect(clippy::print_stdout, reason = "the benchmark reads the answers")]

// The library of the example, which can't be a dependency: its package needs hype with the engine.
#[expect(unreachable_pub, reason = "its functions are public in the library")]
#[path = "../../../examples/thumbnails/src/lib.rs"]
mod thumbnails;

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context, bail};
use bench_closures as closures;
use hype_wire::{Digest, codec};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn main() -> anyhow::Result<()> {
    for line in std::io::stdin().lines() {
        let line = line?;
        println!("{}", answer(&line).with_context(|| format!("cannot call `{line}`"))?);
    }
    Ok(())
}

fn answer(line: &str) -> anyhow::Result<String> {
    let words: Vec<_> = line.split(' ').collect();
    match words.as_slice() {
        ["thumbnail", path, side] => {
            let (png, side) = (std::fs::read(path)?, side.parse()?);
            measure(|| thumbnails::thumbnail::call(black_box(png), side))
        }
        [function, size] => {
            let size = black_box(size.parse()?);
            match *function {
                "sha256" => measure(|| infallible(closures::sha256::call(size))),
                "sha256_of_the_crate" => {
                    measure(|| infallible(closures::sha256_of_the_crate::call(size)))
                }
                "matrix" => measure(|| infallible(closures::matrix::call(size))),
                "words" => measure(|| infallible(closures::words::call(size))),
                "json" => measure(|| infallible(closures::json::call(size))),
                "temporary_files" => measure(|| closures::temporary_files::call(size)),
                _ => bail!("there is no function of this name"),
            }
        }
        _ => bail!("the line has the wrong number of words"),
    }
}

/// Returns the processor time of this thread, which other load on the machine doesn't change.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn infallible<T>(value: T) -> Result<T, Infallible> {
    Ok(value)
}

/// Calls `function`, and returns the time and the digest of its value.
fn measure<T, E>(function: impl FnOnce() -> Result<T, E>) -> anyhow::Result<String>
where
    T: Serialize + DeserializeOwned + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let started = processor_time();
    let value = function();
    let took = processor_time() - started;
    let digest = Digest::of(&codec::into_vec(value?)?);
    Ok(format!("{} {digest}", took.as_nanos()))
}
