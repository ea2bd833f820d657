//! A job for workers, and its calls.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hype_wire::{Digest, Failure, Job};

use super::batch::Batch;
use super::batch_call::{BatchRequest, OnEnd};
use super::call::{Beginning, Lost, Request, Worker};
use super::call_commands::CallCommands;
use super::choice::Step;
use super::fork_server::{LoadError, WorkerCode, broken};
use super::message::{CallHead, EncodedSetup};
use super::pool::{Inner, Workers};
use super::worker_end::WorkerEnd;
use crate::blocking::without_delaying_others;
use crate::deadline::{self, until};
use crate::execution::{CallContext, Execution};
use crate::failure;
use crate::http::{Connections, DirectClient, Requests, Resolver};
use crate::limits::Bounds;
use crate::output::GuestOutput;
use crate::prepared::ItemCall;

/// The time after which a call no longer waits for a worker of another call, and gets an additional one.
const PATIENCE: Duration = Duration::from_millis(10);

/// The shortest timeout of calls in a batch.
const MIN_BATCH_TIMEOUT: Duration = Duration::from_secs(1);

/// The number of new workers that a call gets, if each has ended before it received the call. Idle workers that have
/// ended don't count: all of them do when the fork server ends.
const ATTEMPTS: usize = 3;

/// A job for workers.
pub(crate) struct WorkerJob {
    pub(super) workers: Workers,
    pub(super) code: WorkerCode,
    pub(super) setup: EncodedSetup,
    /// The digest of the setup. A worker makes calls of one job only.
    pub(super) key: Digest,
    /// Whether the setup names directories that exist only as long as this job.
    pub(super) is_unique: bool,
    /// The memory limit of the setup.
    pub(super) memory: Option<u64>,
}

impl Drop for WorkerJob {
    fn drop(&mut self) {
        if self.is_unique {
            self.workers.0.end_idle(&self.key);
        }
    }
}

impl WorkerJob {
    /// Returns the job of a call whose memory limit isn't that of this job.
    ///
    /// # Errors
    ///
    /// A failure of the kind `infrastructure` if the job can't be encoded.
    pub(crate) fn with_memory_of(
        &self,
        context: &CallContext<'_>,
    ) -> Result<Option<Self>, Failure> {
        let CallContext { job, layout, request, .. } = context;
        let is_other = job.limits.memory != self.memory;
        let create = || self.workers.job(self.code.clone(), job, layout, &request.variables);
        is_other.then(create).transpose()
    }

    /// Makes one call in a worker.
    ///
    /// `resolver` resolves the hosts of the guest's HTTP requests.
    pub(crate) async fn call(
        &self,
        context: CallContext<'_>,
        arguments: &[u8],
        resolver: Arc<dyn Resolver>,
    ) -> Execution {
        let started = Instant::now();
        let CallContext { job, run_id, request, output, function, seed, spent, interrupt, .. } =
            context;
        let timeout = job.limits.timeout().map(|timeout| timeout.saturating_sub(spent));
        let deadline = timeout.and_then(|timeout| started.checked_add(timeout));
        let bounds = Bounds::from(&job.limits);
        let head = CallHead {
            run_id: run_id.to_owned(),
            attempt: request.attempt,
            function: function.clone(),
            seed,
            streamed: None,
        };
        let beginning = match Beginning::new(head, arguments) {
            Ok(beginning) => beginning,
            Err(error) => return Execution::failed(broken("the call can't be passed on", &error)),
        };
        let commands = match CallCommands::new(&context) {
            Ok(commands) => commands,
            Err(failure) => return Execution::failed(failure),
        };
        let requests = requests(job, resolver, deadline);
        let call = Request {
            beginning: &beginning,
            output,
            max_value: bounds.value,
            deadline,
            interrupt,
            http: requests.as_ref(),
            commands: commands.as_ref(),
        };
        let attempted = self.attempt(call).await;
        // No process of a command is left when the call has ended.
        if let Some(commands) = commands {
            without_delaying_others(|| drop(commands));
        }
        let failure = match attempted {
            Ok(execution) => return execution,
            Err(Failed::Failure(failure)) => failure,
            Err(Failed::Lost(Lost::Unstarted(error) | Lost::Broken(error))) => {
                broken("the worker process of the call broke down", &error)
            }
            Err(Failed::Lost(Lost::Interrupted)) => deadline::interrupted(),
            Err(Failed::Lost(Lost::Deadline(frames))) => {
                failure::deadline(function.plain_name(), &job.limits)
                    .with_backtrace(frames)
                    .shortened()
            }
            Err(Failed::Lost(Lost::OverMemory(most))) => {
                failure::worker_out_of_memory(function.plain_name(), &job.limits, most)
            }
        };
        let run_us = crate::run::micros(started);
        Execution { run_us, ..Execution::failed(failure) }
    }

    /// Returns a batch of the first of `calls`, if it has several of them. Calls with HTTP requests or commands have none, nor have those
    /// whose timeout is so short that it would matter in which moment each begins.
    pub(crate) fn batch(&self, context: &CallContext<'_>, calls: &[ItemCall<'_>]) -> Option<Batch> {
        let CallContext { job, run_id, request, .. } = *context;
        let is_exact = job.limits.timeout().is_some_and(|timeout| timeout < MIN_BATCH_TIMEOUT);
        let batch = || Batch::of_first(run_id, request.attempt, calls);
        let has_powers = !job.powers.http.is_empty() || !job.powers.commands.is_empty();
        (!is_exact && !has_powers).then(batch).flatten()
    }

    /// Makes calls of `batch` in a worker, and passes the end of each to `on_end`, in the order of the calls. `context` has
    /// the limits of all `calls`, each of which has one of `outputs`. Returns what is known of those without an end.
    pub(crate) async fn call_batch(
        &self,
        batch: &Batch,
        context: CallContext<'_>,
        calls: &[ItemCall<'_>],
        outputs: &[GuestOutput],
        on_end: &mut OnEnd<'_>,
    ) -> Rest {
        let CallContext { job, interrupt, .. } = context;
        let (timeout, max_value) = (job.limits.timeout(), Bounds::from(&job.limits).value);
        let request = BatchRequest { batch, outputs, max_value, timeout, interrupt };
        let acquired = interrupt.run_until_cancelled(self.acquire(None)).await;
        // A call that is made alone reports why there is no worker.
        let Some(Ok(mut lease)) = acquired else { return Rest::Alone };
        let Some(worker) = &mut lease.worker else { return Rest::Alone };
        let mut ended = 0;
        let mut count = |execution| {
            ended += 1;
            on_end(execution);
        };
        let lost = match worker.call_batch(&request, &mut count).await {
            Ok(()) => {
                lease.release();
                return Rest::NotBegun;
            }
            Err(lost) => lost,
        };
        match (lost, calls[..batch.calls()].get(ended)) {
            (Lost::Deadline(frames), Some(call)) => {
                lease.end(Lost::Interrupted, None).await;
                let failure = failure::deadline(call.function.plain_name(), &job.limits);
                let failed = Execution::failed(failure.with_backtrace(frames).shortened());
                // The sizes of batches follow from the times of calls.
                on_end(Execution { run_us: timeout.map_or(0, crate::run::as_micros), ..failed });
                Rest::NotBegun
            }
            (lost, _) => {
                lease.end(lost, None).await;
                Rest::Alone
            }
        }
    }

    /// Makes the call in a worker, and in another one if the first has ended before.
    async fn attempt(&self, call: Request<'_>) -> Result<Execution, Failed> {
        let mut attempts = 0;
        loop {
            let mut lease = tokio::select! {
                biased;
                () = call.interrupt.cancelled() => return Err(Failed::Lost(Lost::Interrupted)),
                () = until(call.deadline) => return Err(Failed::Lost(Lost::Deadline(Vec::new()))),
                acquired = self.acquire(call.commands) => acquired.map_err(Failed::Failure)?,
            };
            attempts += usize::from(lease.is_new);
            match lease.call(call).await {
                Ok(execution) => {
                    match call.commands {
                        Some(_) => lease.retire().await,
                        None => lease.release(),
                    }
                    return Ok(execution);
                }
                Err(Lost::Unstarted(_)) if !lease.is_new || attempts < ATTEMPTS => {}
                Err(lost) => return Err(Failed::Lost(lease.end(lost, call.deadline).await)),
            }
        }
    }

    /// Waits for a worker, and forks it if the guest of its call may start `commands`.
    async fn acquire(&self, commands: Option<&CallCommands>) -> Result<Lease<'_>, Failure> {
        let Inner { kept, freed, .. } = &*self.workers.0;
        let mut waiting = None;
        loop {
            let is_patient = waiting.as_ref().is_none_or(|it: &Waiting<'_>| it.is_patient());
            let step = self.workers.0.state().choose(&self.key, *kept, is_patient);
            match step {
                Step::Use(worker) => {
                    return Ok(Lease { job: self, worker: Some(worker), is_new: false });
                }
                Step::Fork(replaced) => {
                    drop(replaced);
                    let mut lease = Lease { job: self, worker: None, is_new: true };
                    lease.worker = Box::pin(self.fork(commands)).await?;
                    return Ok(lease);
                }
                Step::Wait => {
                    let it = waiting.get_or_insert_with(|| Waiting::new(&self.workers.0));
                    let _ = tokio::time::timeout_at(it.until.into(), freed.notified()).await;
                }
            }
        }
    }

    async fn fork(&self, commands: Option<&CallCommands>) -> Result<Option<Worker>, Failure> {
        let tmp = commands.map(|commands| Arc::clone(commands.tmp()));
        let setup = EncodedSetup { tmp, ..self.setup.clone() };
        let forked = self.workers.with_server(self.code.clone(), Some(setup)).await;
        forked.map_err(|error| match error {
            LoadError::Failed(failure) => failure,
            LoadError::Unloadable(reason) => {
                broken("the machine code can't be loaded again", &io::Error::other(reason))
            }
        })
    }
}

/// Returns the HTTP requests that the program may make for the guest of `job`, if it may send any.
fn requests(job: &Job, resolver: Arc<dyn Resolver>, deadline: Option<Instant>) -> Option<Requests> {
    let grants = &job.powers.http;
    (!grants.is_empty()).then(|| {
        let client = Arc::new(DirectClient::new(resolver));
        let max_body = Bounds::from(&job.limits).http_body;
        let mut requests = Requests::new(grants, client, max_body, Connections::of_worker());
        requests.deadline = deadline;
        requests
    })
}

/// The calls of a batch that have no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// None of them has begun.
    NotBegun,
    /// They must be made one by one.
    Alone,
}

/// The reason why a call has no end of its own.
enum Failed {
    Lost(Lost),
    Failure(Failure),
}

/// A call that waits for a worker, up to a time.
struct Waiting<'a> {
    inner: &'a Inner,
    until: Instant,
}

impl<'a> Waiting<'a> {
    fn new(inner: &'a Inner) -> Self {
        inner.state().waiting += 1;
        Self { inner, until: Instant::now() + PATIENCE }
    }

    fn is_patient(&self) -> bool {
        Instant::now() < self.until
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.inner.state().waiting -= 1;
    }
}

/// A worker that makes a call. Dropping it kills the worker.
struct Lease<'a> {
    job: &'a WorkerJob,
    /// `None` while it is being forked.
    worker: Option<Worker>,
    /// Whether the worker was forked for this call.
    is_new: bool,
}

impl Lease<'_> {
    async fn call(&mut self, request: Request<'_>) -> Result<Execution, Lost> {
        match &mut self.worker {
            Some(worker) => worker.call(request).await,
            None => Err(Lost::Unstarted(io::ErrorKind::NotFound.into())),
        }
    }

    /// Kills the worker, and waits for its end. Returns `lost` with the status of a worker that ended by itself, if the fork
    /// server reports it before the deadline.
    async fn end(mut self, lost: Lost, deadline: Option<Instant>) -> Lost {
        let Some(worker) = self.worker.take() else { return lost };
        let number = worker.ended_number(&lost).await;
        worker.end().await;
        let Some(number) = number else { return lost };
        let end = tokio::select! {
            end = self.job.workers.end_of(number) => end,
            () = until(deadline) => None,
        };
        match end {
            Some(WorkerEnd::OverMemory(most)) => Lost::OverMemory(most),
            Some(end) => Lost::Broken(io::Error::other(end.to_string())),
            None => lost,
        }
    }

    /// Ends the worker. It can open only the `/tmp` of this call.
    async fn retire(mut self) {
        if let Some(worker) = self.worker.take() {
            worker.end().await;
        }
    }

    /// Returns the worker to the pool.
    fn release(mut self) {
        let Inner { freed, kept, .. } = &*self.job.workers.0;
        let Some(worker) = self.worker.take() else { return };
        let excess = self.job.workers.0.state().release(self.job.key, worker, *kept);
        drop(excess);
        freed.notify_one();
        std::mem::forget(self);
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let inner = &self.job.workers.0;
        inner.state().live -= 1;
        self.worker = None;
        inner.freed.notify_one();
    }
}
