//! Functions that only compute, as closures against the same functions called natively.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use bench_closures::{json, matrix, sha256, sha256_of_the_crate, words};
use hype_run::{Executor, Output, run};
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

/// The goal for all but what the processor has instructions for that WebAssembly lacks.
const LIMIT: Option<f64> = Some(1.3);

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let closures = Closures::of(&ours.closures)?;
    let sunset = std::fs::read(ours.root.join("examples/thumbnails/images/rings.png"))?;
    let small = |png: Vec<u8>| thumbnail::call(png, 64).unwrap_or_default();
    Ok(vec![
        closures.against("SHA-256 of 64 MiB", "sha256", &(64usize,), || sha256::call(64), LIMIT)?,
        closures.against(
            "  by the crate sha2 (natively SHA-NI)",
            "sha256_of_the_crate",
            &(64usize,),
            || sha256_of_the_crate::call(64),
            None,
        )?,
        closures.against(
            "product of 512 × 512 matrices",
            "matrix",
            &(512usize,),
            || matrix::call(512),
            LIMIT,
        )?,
        closures.against(
            "counting the words of 16 MiB",
            "words",
            &(16usize << 10,),
            || words::call(16 << 10),
            LIMIT,
        )?,
        closures.against(
            "parsing 16 MiB of JSON",
            "json",
            &(16usize << 10,),
            || json::call(16 << 10),
            LIMIT,
        )?,
        Closures::of(&ours.thumbnails)?.against(
            "the example thumbnails, one picture",
            "thumbnail",
            &(hype::Bytes(sunset.clone()), 64u32),
            || hype::Bytes(small(sunset.clone())),
            None,
        )?,
    ])
}

/// A component whose functions run in this process.
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

    /// The call's time in the guest against that of `native`.
    fn against<T: DeserializeOwned + PartialEq + std::fmt::Debug>(
        &self,
        name: &str,
        function: &str,
        arguments: &impl Serialize,
        native: impl Fn() -> T,
        limit: Option<f64>,
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
                ensure!(value == expected, "the closure gives another value than natively");
                Ok(took)
            },
            || {
                let started = Instant::now();
                std::hint::black_box(native());
                Ok(started.elapsed())
            },
        )?;
        Ok(Row::times(name, ours.median(), peer.median(), limit))
    }

    fn call(
        &self,
        run_id: &str,
        function: &str,
        arguments: &[u8],
    ) -> anyhow::Result<(Duration, Vec<u8>)> {
        let finished = self.runtime.block_on(async {
            let request = self.staged.run(run_id, function, arguments.to_vec()).await?;
            anyhow::Ok(run(&self.executor, &request, Output::new(|_, _| {})).await?)
        })?;
        match finished.outcome.end {
            End::Value(Payload::Inline(value)) => {
                Ok((Duration::from_micros(finished.outcome.statistics.run_us), value.into()))
            }
            end => bail!("`{function}` gave no value: {end:?}"),
        }
    }
}
