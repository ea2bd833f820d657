//! Benchmark `compute`: functions that only compute, as closures and called natively.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use bench_closures::{json, matrix, sha256, sha256_of_the_crate, temporary_files, words};
use hype_run::{Executor, GuestOutput, run};
use hype_wire::{End, Payload, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thumbnails::thumbnail;
use tokio::runtime::Runtime;

use crate::alternate::alternate;
use crate::ours::Ours;
use crate::staged::{Staged, runtime};
use crate::table::Row;

const ROUNDS: usize = 9;

/// The maximum ratio of the closure's time to the native time. Functions for which the processor has instructions that
/// WebAssembly lacks have none.
const MAX_RATIO: Option<f64> = Some(1.3);

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let closures = Closures::of(&ours.closures)?;
    let sunset = std::fs::read(ours.root.join("examples/thumbnails/images/rings.png"))?;
    let small = |png: Vec<u8>| thumbnail::call(png, 64).unwrap_or_default();
    Ok(vec![
        closures.compare(
            "SHA-256 of 64 MiB",
            "sha256",
            &(64usize,),
            || sha256::call(64),
            MAX_RATIO,
        )?,
        closures.compare(
            "  by the crate sha2 (natively SHA-NI)",
            "sha256_of_the_crate",
            &(64usize,),
            || sha256_of_the_crate::call(64),
            None,
        )?,
        closures.compare(
            "product of 512 × 512 matrices",
            "matrix",
            &(512usize,),
            || matrix::call(512),
            MAX_RATIO,
        )?,
        closures.compare(
            "counting the words of 16 MiB",
            "words",
            &(16usize << 10,),
            || words::call(16 << 10),
            MAX_RATIO,
        )?,
        closures.compare(
            "parsing 16 MiB of JSON",
            "json",
            &(16usize << 10,),
            || json::call(16 << 10),
            MAX_RATIO,
        )?,
        closures.compare(
            "writing, reading and removing 2,000 files in /tmp",
            "temporary_files",
            &(2_000usize,),
            || temporary_files::call(2_000).unwrap_or_default(),
            None,
        )?,
        Closures::of(&ours.thumbnails)?.compare(
            "the example thumbnails, one picture",
            "thumbnail",
            &(hype::Bytes(sunset.clone()), 64u32),
            || hype::Bytes(small(sunset.clone())),
            None,
        )?,
    ])
}

/// A component whose functions are called in this process.
struct Closures {
    runtime: Runtime,
    staged: Staged,
    executor: Executor,
}

impl Closures {
    fn of(component: &Path) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let staged = runtime.block_on(Staged::new(component))?;
        let executor = Executor::new();
        Ok(Self { runtime, staged, executor })
    }

    /// Compares the time of the call in the guest with that of `native`.
    fn compare<T: DeserializeOwned + PartialEq + std::fmt::Debug>(
        &self,
        name: &str,
        function: &str,
        arguments: &impl Serialize,
        native: impl Fn() -> T,
        max_ratio: Option<f64>,
    ) -> anyhow::Result<Row> {
        let arguments = codec::to_vec(arguments)?;
        let expected = native();
        let mut number = 0;
        let (ours, peer) = alternate(
            ROUNDS,
            || {
                number += 1;
                let (took, value) =
                    self.call(&format!("{function}-{number}"), function, &arguments)?;
                let value: T = codec::from_slice(&value)?;
                ensure!(
                    value == expected,
                    "the closure and the native function return different values"
                );
                Ok(took)
            },
            || {
                let started = Instant::now();
                std::hint::black_box(native());
                Ok(started.elapsed())
            },
        )?;
        Ok(Row::compare(name, ours.median(), peer.median(), max_ratio))
    }

    fn call(
        &self,
        run_id: &str,
        function: &str,
        arguments: &[u8],
    ) -> anyhow::Result<(Duration, Vec<u8>)> {
        let finished = self.runtime.block_on(async {
            let request = self.staged.run(run_id, function, arguments.to_vec()).await?;
            anyhow::Ok(run(&self.executor, &request, GuestOutput::new(|_, _| {})).await?)
        })?;
        match finished.outcome.end {
            End::Value(Payload::Inline(value)) => {
                Ok((Duration::from_micros(finished.outcome.statistics.run_us), value.into()))
            }
            end => bail!("`{function}` returned no value: {end:?}"),
        }
    }
}
