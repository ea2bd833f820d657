//! Jobs that are ready for calls.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join;
use hype_stage::Stage;
use hype_wire::{Call, Code, Failure, FailureKind, FunctionRef, Job, names};

use crate::blobs::Blobs;
use crate::code::{self, Loaded};
use crate::execution::{Execution, Surroundings, execute};
use crate::executor::{CallPermit, Executor};
use crate::fetch::{self, infrastructure};
use crate::layout::Layout;
use crate::output::Output;
use crate::run::Request;

/// A job whose component is loaded and whose files are laid out.
///
/// Its functions can be called any number of times, several at once, each call in an instance and a
/// sandbox of its own. All calls see the same files; what one writes, no other sees.
pub struct Prepared<'a> {
    executor: &'a Executor,
    stage: Stage,
    request: &'a Request,
    run_id: String,
    job: Job,
    loaded: Loaded,
    layout: Layout,
}

impl<'a> Prepared<'a> {
    /// Reads the manifest that `request` names and prepares its job. Returns that and the manifest's call,
    /// which was not made.
    ///
    /// # Errors
    ///
    /// The failure of the run: an object cannot be read, was altered, or is of no use here.
    pub async fn fetch(
        executor: &'a Executor,
        request: &'a Request,
    ) -> Result<(Self, Call), Failure> {
        let (stage_url, run_id) =
            names::split_manifest(&request.manifest_url).ok_or_else(|| {
                let problem = format!("`{}` is not the URL of a manifest", request.manifest_url);
                Failure::new(FailureKind::Infrastructure, problem)
            })?;
        let stage = Stage::open(stage_url).map_err(|error| infrastructure(&error))?;
        let manifest = fetch::manifest(&stage, run_id, request.digest.as_ref()).await?;
        let blobs = Blobs::new(&stage, executor.cache());
        let prepared = Self::new(executor, request, &blobs, run_id, manifest.job).await?;
        Ok((prepared, manifest.call))
    }

    /// Fetches all that `job` needs. Its machine code is loaded only if the manifest that names it is vouched
    /// for.
    pub(crate) async fn new(
        executor: &'a Executor,
        request: &'a Request,
        blobs: &Blobs<'_>,
        run_id: &str,
        job: Job,
    ) -> Result<Self, Failure> {
        let has_commands = !job.powers.commands.is_empty();
        let is_copied = has_commands && executor.commands_reach_shared_files();
        let (loaded, layout) = try_join(
            code::load(executor, blobs, &job, request.is_vouched_for()),
            Layout::fetch(blobs, &job, is_copied),
        )
        .await?;
        let (stage, run_id) = (blobs.stage().clone(), run_id.to_owned());
        Ok(Self { executor, stage, request, run_id, job, loaded, layout })
    }

    /// Returns where the machine code came from, and why the staged one was not used.
    pub(crate) fn code(&self) -> (Code, Option<String>) {
        (self.loaded.code, self.loaded.why_compiled.clone())
    }

    /// Returns the time that was spent on compiling or loading the machine code.
    pub(crate) fn compile_time(&self) -> Duration {
        Duration::from_micros(self.loaded.took_us)
    }

    /// Makes one call, as soon as the executor has a slot for it. Writes the guest's output to `output`.
    pub async fn call(&self, call: &Call, output: &Output) -> Execution {
        let permit = self.executor.permit().await;
        let blobs = Blobs::new(&self.stage, self.executor.cache());
        match fetch::arguments(&blobs, call).await {
            Ok(arguments) => {
                let surroundings = self.surroundings(&call.function, output, Duration::ZERO);
                self.call_with(surroundings, arguments, permit).await
            }
            Err(failure) => Execution::failed(failure),
        }
    }

    /// Makes the first call of a run, whose time includes that for the machine code.
    pub(crate) async fn call_first(
        &self,
        function: &FunctionRef,
        arguments: Bytes,
        output: &Output,
        permit: CallPermit,
    ) -> Execution {
        let surroundings = self.surroundings(function, output, self.compile_time());
        self.call_with(surroundings, arguments, permit).await
    }

    fn surroundings<'b>(
        &'b self,
        function: &'b FunctionRef,
        output: &'b Output,
        spent: Duration,
    ) -> Surroundings<'b> {
        let Self { job, run_id, request, layout, .. } = self;
        Surroundings { job, run_id, request, layout, output, function, spent }
    }

    async fn call_with(
        &self,
        surroundings: Surroundings<'_>,
        arguments: Bytes,
        permit: CallPermit,
    ) -> Execution {
        execute(self.executor, &self.loaded.component, surroundings, &arguments, permit).await
    }
}

impl fmt::Debug for Prepared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({} for {})", self.job.component.name, self.run_id)
    }
}
