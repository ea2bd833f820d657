//! A job whose component is loaded and whose files are fetched, ready for calls.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join;
use hype_stage::Stage;
use hype_wire::{Call, Code, Failure, FailureKind, FunctionRef, Job, RunId, names};

use crate::blobs::Blobs;
use crate::callee::ReadyComponent;
use crate::code::{self, Loaded, Runnable};
use crate::execution::{CallContext, Execution, Remote, execute};
use crate::executor::{CallPermit, Executor};
use crate::fetch::{self, infrastructure};
#[cfg(target_os = "linux")]
use crate::guest_thread;
use crate::layout::Layout;
use crate::output::GuestOutput;
use crate::program;
use crate::run::RunRequest;
#[cfg(target_os = "linux")]
use crate::workers::{Rest, WorkerJob};

/// A job whose component is loaded and whose staged files are on this machine.
///
/// Its functions can be called any number of times, also concurrently. Each call runs in a new
/// instance and a new sandbox. All calls read the same staged files; no call sees the changes that
/// another call makes to `/tmp`. `E` is a reference to the executor: `&Executor`, or one that is shared.
///
/// # Examples
///
/// ```no_run
/// # use hype_run::{Executor, GuestOutput, Prepared, RunRequest};
/// # async fn example(request: RunRequest) -> Result<(), hype_wire::Failure> {
/// let executor = Executor::pooled(8);
/// let (prepared, call) = Prepared::fetch(&executor, &request).await?;
/// for _ in 0..1000 {
///     let execution = prepared.call(&call, &GuestOutput::new(|_, _| {})).await;
///     println!("{} bytes in {} µs", execution.value?.len(), execution.run_us);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Prepared<E> {
    executor: E,
    stage: Stage,
    request: RunRequest,
    run_id: RunId,
    ready: ReadyJob,
}

/// The call of one item of a map.
#[derive(Debug, Clone)]
pub struct ItemCall<'a> {
    /// The called function.
    pub function: &'a FunctionRef,
    /// A MessagePack array with one element for each parameter.
    pub arguments: Bytes,
    /// The seed that replaces that of the job.
    pub seed: Option<u64>,
    /// The memory limit that replaces that of the job, in bytes.
    pub memory: Option<u64>,
}

/// A job with its loaded component and its files.
pub(crate) struct ReadyJob {
    job: Job,
    callable: Callable,
    code: Code,
    why_compiled: Option<String>,
    compile_time: Duration,
    layout: Layout,
}

/// A component with the files of its job.
enum Callable {
    Here(ReadyComponent),
    #[cfg(target_os = "linux")]
    InWorkers(WorkerJob),
}

impl ReadyJob {
    /// Fetches the component and the files of `job`. Loads staged machine code only if `request` has a
    /// trusted manifest.
    pub(crate) async fn fetch(
        executor: &Executor,
        request: &RunRequest,
        blobs: &Blobs<'_>,
        job: Job,
    ) -> Result<Self, Failure> {
        let has_commands = !job.powers.commands.is_empty();
        let copies_per_call = has_commands && executor.can_commands_change_shared_files();
        let (loaded, layout) = try_join(
            code::load(executor, blobs, &job, request.has_trusted_manifest()),
            Layout::fetch(blobs, &job, copies_per_call),
        )
        .await?;
        let Loaded { component, code, why_compiled, took_us } = loaded;
        let callable = match component {
            Runnable::Here(component) => Callable::Here(component),
            #[cfg(target_os = "linux")]
            Runnable::InWorkers(workers, code) => {
                Callable::InWorkers(workers.job(code, &job, &layout, &request.variables)?)
            }
        };
        let compile_time = Duration::from_micros(took_us);
        Ok(Self { job, callable, code, why_compiled, compile_time, layout })
    }
}

impl<E: Deref<Target = Executor>> Prepared<E> {
    /// Prepares the job of the manifest in `request`, which is read from the stage unless `request`
    /// contains it. Returns the prepared job and the manifest's call, which the caller may pass to
    /// [`call`](Self::call).
    ///
    /// # Errors
    ///
    /// A failure of the kind `infrastructure` or `missing` when an object cannot be read or was
    /// altered, and of the kind `incompatible` when the manifest or the component doesn't fit this
    /// version of hype.
    pub async fn fetch(executor: E, request: &RunRequest) -> Result<(Self, Call), Failure> {
        let (stage_url, run_id) =
            names::split_manifest(&request.manifest_url).ok_or_else(|| {
                let problem = format!("`{}` is not the URL of a manifest", request.manifest_url);
                Failure::new(FailureKind::Infrastructure, problem)
            })?;
        let stage = Stage::open(stage_url).map_err(|error| infrastructure(&error))?;
        let manifest = fetch::requested_manifest(&stage, &run_id, request).await?;
        let blobs = Blobs::new(&stage, executor.cache());
        let ready = ReadyJob::fetch(&executor, request, &blobs, manifest.job).await?;
        Ok((Self::new(executor, request, &stage, run_id, ready), manifest.call))
    }

    /// Creates a prepared job.
    pub(crate) fn new(
        executor: E,
        request: &RunRequest,
        stage: &Stage,
        run_id: RunId,
        ready: ReadyJob,
    ) -> Self {
        Self { executor, stage: stage.clone(), request: request.clone(), run_id, ready }
    }

    /// Returns the source of the machine code, and the reason why staged machine code was not used.
    pub(crate) fn code(&self) -> (Code, Option<String>) {
        (self.ready.code, self.ready.why_compiled.clone())
    }

    /// Returns the time that was spent on compiling or loading the machine code.
    pub(crate) fn compile_time(&self) -> Duration {
        self.ready.compile_time
    }

    /// Makes one call as soon as the executor has a free slot. Writes the guest's output to `output`.
    ///
    /// A failure of the call is in [`Execution::value`].
    pub async fn call(&self, call: &Call, output: &GuestOutput) -> Execution {
        let permit = self.executor.permit().await;
        let blobs = Blobs::new(&self.stage, self.executor.cache());
        match fetch::arguments(&blobs, call).await {
            Ok(arguments) => {
                let context = self.context(&call.function, output);
                self.call_with(context, arguments, permit).await
            }
            Err(failure) => Execution::failed(failure),
        }
    }

    /// Makes the call of one item of a map as soon as the executor has a free slot.
    pub async fn call_item(&self, call: ItemCall<'_>, output: &GuestOutput) -> Execution {
        let ItemCall { function, arguments, seed, memory } = call;
        let job = memory.map(|memory| self.job_with_memory(memory));
        let permit = self.executor.permit().await;
        let context = self.context(function, output);
        let context = CallContext { seed, job: job.as_ref().unwrap_or(context.job), ..context };
        self.call_with(context, arguments, permit).await
    }

    /// Makes the calls of several items, one after the other, and passes the end of each to `on_end`, in the order of the
    /// calls. Each item has one of `outputs`.
    ///
    /// Calls in a worker process share messages, which is faster if they are short. If the worker is lost, calls whose ends
    /// have not arrived are made again: the functions must have no effects outside.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use hype_run::{Executor, GuestOutput, ItemCall, Prepared};
    /// # async fn example(prepared: Prepared<&Executor>, calls: &[ItemCall<'_>]) {
    /// let outputs = vec![GuestOutput::new(|_, _| {}); calls.len()];
    /// let mut print = |execution: hype_run::Execution| println!("{:?}", execution.value);
    /// prepared.call_items(calls, &outputs, &mut print).await;
    /// # }
    /// ```
    pub async fn call_items(
        &self,
        calls: &[ItemCall<'_>],
        outputs: &[GuestOutput],
        on_end: &mut (dyn FnMut(Execution) + Send),
    ) {
        let mut ended = 0;
        while let Some(call) = calls.get(ended) {
            #[cfg(target_os = "linux")]
            if let Some(made) = self.call_batch(&calls[ended..], &outputs[ended..], on_end).await {
                ended += made;
                continue;
            }
            on_end(self.call_item(call.clone(), &outputs[ended]).await);
            ended += 1;
        }
    }

    /// Makes the first of several calls in one worker. Returns their number, or `None` if they must be made one by one.
    #[cfg(target_os = "linux")]
    async fn call_batch(
        &self,
        calls: &[ItemCall<'_>],
        outputs: &[GuestOutput],
        on_end: &mut (dyn FnMut(Execution) + Send),
    ) -> Option<usize> {
        let Callable::InWorkers(job) = &self.ready.callable else { return None };
        let (first, output) = (calls.first()?, outputs.first()?);
        let context = self.context(first.function, output);
        let batch = job.batch(&context, calls)?;
        let permit = self.executor.permit().await;
        let mut ended = 0;
        let mut count = |execution| {
            ended += 1;
            on_end(execution);
        };
        let rest = job.call_batch(&batch, context, calls, outputs, &mut count).await;
        drop(permit);
        if rest == Rest::Alone {
            for (call, output) in calls[..batch.calls()].iter().zip(outputs).skip(ended) {
                on_end(self.call_item(call.clone(), output).await);
            }
            return Some(batch.calls());
        }
        Some(ended)
    }

    fn job_with_memory(&self, memory: u64) -> Job {
        let mut job = self.ready.job.clone();
        job.limits.memory = Some(memory);
        job
    }

    /// Makes the first call of a run. The time spent on its machine code counts against its timeout.
    pub(crate) async fn call_first(
        &self,
        function: &FunctionRef,
        arguments: Bytes,
        output: &GuestOutput,
        permit: CallPermit,
    ) -> Execution {
        let spent = self.compile_time();
        let context = CallContext { spent, ..self.context(function, output) };
        self.call_with(context, arguments, permit).await
    }

    fn context<'b>(
        &'b self,
        function: &'b FunctionRef,
        output: &'b GuestOutput,
    ) -> CallContext<'b> {
        let Self { run_id, request, ready: ReadyJob { job, layout, .. }, .. } = self;
        let (seed, spent) = (job.seed, Duration::ZERO);
        let interrupt = &request.interrupt;
        CallContext {
            job,
            run_id,
            request,
            layout,
            output,
            function,
            seed,
            spent,
            interrupt,
            remote: Remote::default(),
            progress: None,
        }
    }

    async fn call_with(
        &self,
        context: CallContext<'_>,
        arguments: Bytes,
        permit: CallPermit,
    ) -> Execution {
        match context.function {
            FunctionRef::Program(_) => {
                program::collect_output(context, async |context| {
                    self.execute(context, arguments, permit).await
                })
                .await
            }
            FunctionRef::Closure(_) | FunctionRef::Export { .. } => {
                self.execute(context, arguments, permit).await
            }
        }
    }

    async fn execute(
        &self,
        context: CallContext<'_>,
        arguments: Bytes,
        permit: CallPermit,
    ) -> Execution {
        match &self.ready.callable {
            #[cfg(target_os = "linux")]
            Callable::Here(component) if self.executor.has_guest_thread() => {
                guest_thread::execute(&self.executor, component, context, arguments, permit).await
            }
            Callable::Here(component) => {
                execute(&self.executor, component, context, &arguments, permit).await
            }
            #[cfg(target_os = "linux")]
            Callable::InWorkers(job) => {
                let resolver = self.executor.resolver();
                let execution = match job.with_memory_of(&context) {
                    Ok(other) => {
                        let job = other.as_ref().unwrap_or(job);
                        job.call(context, &arguments, resolver).await
                    }
                    Err(failure) => Execution::failed(failure),
                };
                drop(permit);
                execution
            }
        }
    }
}

impl<E> fmt::Debug for Prepared<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({} for {})", self.ready.job.component.name, self.run_id)
    }
}
