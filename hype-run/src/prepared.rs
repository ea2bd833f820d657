//! A run that has all that it needs, ready for its call.

use std::time::{Duration, Instant};

use futures::future::try_join;
use hype_stage::Stage;
use hype_wire::{Failure, FailureKind, RunManifest, Statistics, names};

use crate::blobs::Blobs;
use crate::code::{self, Loaded};
use crate::execution::{Execution, Surroundings, execute};
use crate::executor::{Executor, Turn};
use crate::fetch::{self, Inputs, infrastructure};
use crate::output::Output;
use crate::run::{Request, micros};

/// What a manifest names, read and verified: its function can be called, many times if need be, each
/// time in an instance and a sandbox of its own.
pub struct Prepared<'a> {
    executor: &'a Executor,
    request: &'a Request,
    manifest: RunManifest,
    loaded: Loaded,
    inputs: Inputs,
    fetch_us: u64,
    fetched: u64,
}

impl<'a> Prepared<'a> {
    /// Reads the manifest that `request` names, and all that it names in turn.
    ///
    /// # Errors
    ///
    /// The failure of the run: something is out of reach, altered or of no use here.
    pub async fn fetch(executor: &'a Executor, request: &'a Request) -> Result<Self, Failure> {
        let (stage_url, run_id) =
            names::split_manifest(&request.manifest_url).ok_or_else(|| {
                let problem = format!("`{}` is not the URL of a manifest", request.manifest_url);
                Failure::new(FailureKind::Infrastructure, problem)
            })?;
        let stage = Stage::open(stage_url).map_err(|error| infrastructure(&error))?;
        Self::fetch_from(executor, &stage, run_id, request).await
    }

    pub(crate) async fn fetch_from(
        executor: &'a Executor,
        stage: &Stage,
        run_id: &str,
        request: &'a Request,
    ) -> Result<Self, Failure> {
        let started = Instant::now();
        let manifest = fetch::manifest(stage, run_id, request.digest.as_ref()).await?;
        let blobs = Blobs::new(stage, executor.cache());
        let (loaded, inputs) = try_join(
            code::load(executor, &blobs, &manifest, request.digest.is_some()),
            fetch::inputs(&blobs, &manifest),
        )
        .await?;
        let fetch_us = micros(started).saturating_sub(loaded.took_us);
        let fetched = blobs.fetched();
        Ok(Self { executor, request, manifest, loaded, inputs, fetch_us, fetched })
    }

    /// What it took so far.
    pub(crate) fn statistics(&self) -> Statistics {
        Statistics {
            fetch_us: self.fetch_us,
            fetched: self.fetched,
            compile_us: self.loaded.took_us,
            code: self.loaded.code,
            why_compiled: self.loaded.why_compiled.clone(),
            ..Statistics::default()
        }
    }

    /// Calls the function once, when it is its turn; what it writes goes to `output`.
    pub async fn call(&self, output: &Output) -> Execution {
        let turn = self.executor.turn().await;
        self.call_now(output, turn).await
    }

    /// The same when `turn` has come, which it takes.
    pub(crate) async fn call_now(&self, output: &Output, turn: Turn) -> Execution {
        let Self { executor, request, manifest, loaded, inputs, .. } = self;
        let spent = Duration::from_micros(loaded.took_us);
        let surroundings = Surroundings { request, inputs, output, spent };
        execute(executor, &loaded.component, manifest, surroundings, turn).await
    }
}

impl std::fmt::Debug for Prepared<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({} of {})", self.manifest.function, self.manifest.component.name)
    }
}
