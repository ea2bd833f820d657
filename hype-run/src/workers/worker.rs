//! A worker: a process that makes one call of its job at a time.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_wire::{FunctionRef, codec};
use rustix::process::{Pid, getppid};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::argument_stream::IncomingArguments;
use super::batch::{BatchCall, BatchHead, HeldEnds, MAX_TIME};
use super::channel::{Channel, Received};
use super::incoming::Incoming;
use super::message::{
    CallEnd, CallHead, FromWorkerKind, MAX_BODY, MAX_MESSAGE, Setup, ToWorkerKind, begin, head,
    read_file, split, without_head,
};
#[cfg(test)]
use super::native;
use super::passed_value::{PassedValue, send_all_but_last};
use super::stop;
use super::wall;
use super::worker_end::PANICKED;
use crate::callee::ReadyComponent;
use crate::execution::{CallContext, Execution, Remote, execute};
use crate::executor::Executor;
use crate::http::Client;
use crate::layout::{Layout, Root};
use crate::output::{GuestOutput, Stream};
use crate::process::Starter;
use crate::run::RunRequest;
use crate::transport::{ArgumentSource, ValueSink};

/// The maximum number of threads that block, for reads of files.
const BLOCKING_THREADS: usize = 8;

/// The files that the program created for a worker.
pub(super) struct Files {
    pub(super) channel: Channel,
    pub(super) setup: File,
    pub(super) directory: PathBuf,
    /// The `/tmp` that the guest shares with its commands.
    pub(super) tmp: Option<OwnedFd>,
}

/// Runs this process, which was just forked, until the program closes its channel. Without a component it ends after it
/// has set itself up. Returns the status to exit with.
pub(super) fn run(
    server: Pid,
    executor: &Executor,
    component: Option<&ReadyComponent>,
    files: Files,
    inherited: &[RawFd],
) -> i32 {
    let end = std::panic::AssertUnwindSafe(|| serve(server, executor, component, files, inherited));
    match std::panic::catch_unwind(end) {
        Ok(Ok(())) => 0,
        Ok(Err(_)) => 1,
        Err(_) => PANICKED,
    }
}

fn serve(
    server: Pid,
    executor: &Executor,
    component: Option<&ReadyComponent>,
    Files { channel, setup, directory, tmp }: Files,
    inherited: &[RawFd],
) -> io::Result<()> {
    // SAFETY: these are system calls on numbers; the fork server's code, which uses these descriptors, never runs here
    // again.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // The input of a command that has ended is an error, not the end of this process.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        for fd in inherited {
            libc::close(*fd);
        }
    }
    if getppid() != Some(server) {
        return Err(io::Error::other("the fork server has ended"));
    }
    let (setup, runtime) = match prepare(setup, &directory, tmp.as_ref()) {
        Ok(prepared) => prepared,
        Err(error) => {
            let reason = error.to_string();
            let reason = &reason.as_bytes()[..reason.len().min(MAX_BODY)];
            return channel.send([&without_head(FromWorkerKind::Unusable as u8), reason], &[]);
        }
    };
    let (channel, held) = (Arc::new(channel), Arc::default());
    if let Some(component) = component {
        // Without its handler a signal would end this process.
        stop::install(&channel, &held, component.component());
    }
    channel.send([&without_head(FromWorkerKind::Ready as u8), b""], &[])?;
    // The only path by which this process reaches it: the mount belongs to other namespaces.
    let tmp = tmp.as_ref().map(|tmp| PathBuf::from(format!("/proc/self/fd/{}", tmp.as_raw_fd())));
    #[cfg(test)]
    if let Some(outside) = setup.job.env.get(native::VARIABLE) {
        return native::run(&channel, &directory, tmp.as_deref(), outside);
    }
    let Some(component) = component else { return Ok(()) };
    let roots = setup.roots.iter().cloned().map(|(path, real)| Root { path, real });
    let layout = Layout::of_roots(roots.collect());
    let worker = Worker { executor, component, channel, held, runtime, setup, layout, tmp };
    let mut buffer = vec![0; MAX_MESSAGE];
    while worker.serve_call(&mut buffer)?.is_continue() {}
    Ok(())
}

/// Reads the setup, creates the runtime, and restricts this process.
fn prepare(setup: File, directory: &Path, tmp: Option<&OwnedFd>) -> io::Result<(Setup, Runtime)> {
    let setup: Setup = head(&read_file(setup)?)?;
    if tmp.is_none() && !setup.job.powers.commands.is_empty() {
        return Err(io::Error::other("the commands of its guest have no directory"));
    }
    // The runtime opens its descriptors before the wall is raised. Its threads start when they are needed.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()?;
    // This process sets it once.
    let _ = tempfile::env::override_temp_dir(directory);
    wall::raise(&setup, directory, tmp)?;
    Ok((setup, runtime))
}

struct Worker<'a> {
    executor: &'a Executor,
    component: &'a ReadyComponent,
    channel: Arc<Channel>,
    /// The ends of calls of the batch.
    held: Arc<HeldEnds>,
    runtime: Runtime,
    setup: Setup,
    layout: Layout,
    /// The path of the `/tmp` that the guest shares with its commands.
    tmp: Option<PathBuf>,
}

impl Worker<'_> {
    /// Makes the next call, or those of a batch. Returns a break when the program has closed the channel.
    fn serve_call(&self, buffer: &mut [u8]) -> io::Result<ControlFlow<()>> {
        let Some(received) = self.channel.receive(buffer)? else {
            return Ok(ControlFlow::Break(()));
        };
        let Received { length, descriptors, has_lost_descriptors } = received;
        if has_lost_descriptors {
            return Err(io::Error::other("the worker can't receive the arguments of its call"));
        }
        let (kind, call, body) = split(&buffer[..length]).ok_or(io::ErrorKind::InvalidData)?;
        if kind == ToWorkerKind::Http as u8 || kind == ToWorkerKind::Command as u8 {
            // It belongs to the last call, which ended meanwhile.
            return Ok(ControlFlow::Continue(()));
        }
        if kind == ToWorkerKind::Batch as u8 {
            self.make_calls(head(call)?, body)?;
            return Ok(ControlFlow::Continue(()));
        }
        let call: CallHead = head(call)?;
        let stream = match (call.streamed, descriptors.into_iter().next()) {
            (None, None) => None,
            (Some(size), Some(channel)) => Some(IncomingArguments::new(channel, size)?),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let (arguments, stream) = match (stream, &call.function) {
            (None, _) => (Bytes::copy_from_slice(body), None),
            (Some(stream), FunctionRef::Program(_)) => (stream.read()?.into(), None),
            (stream, _) => (Bytes::new(), stream),
        };
        let passed = Arc::new(PassedValue::new(&self.channel, &self.setup.job));
        let execution = self.execute(call, &arguments, stream.as_ref(), Some(&passed))?;
        drop((arguments, stream));
        if execution.value.is_err() {
            passed.withdraw()?;
        }
        self.send_end(execution)?;
        Ok(ControlFlow::Continue(()))
    }

    /// Makes the calls of a batch, the first and others until they have taken too long together.
    fn make_calls(&self, batch: BatchHead, arguments: &[u8]) -> io::Result<()> {
        let started = Instant::now();
        let BatchHead { run_id, attempt, calls } = batch;
        let mut rest = arguments;
        for BatchCall { function, seed, size } in calls {
            let arguments = rest.split_off(..size as usize).ok_or(io::ErrorKind::InvalidData)?;
            let run_id = run_id.clone();
            let call = CallHead { run_id, attempt, function, seed, streamed: None };
            let arguments = Bytes::copy_from_slice(arguments);
            self.hold_end(self.execute(call, &arguments, None, None)?)?;
            if started.elapsed() >= MAX_TIME {
                break;
            }
        }
        self.held.send(&self.channel, FromWorkerKind::Returned)
    }

    /// Makes a call, whose arguments are those of `stream` if there is one. `passed` takes a large value.
    ///
    /// # Errors
    ///
    /// When the program is gone.
    fn execute(
        &self,
        call: CallHead,
        arguments: &Bytes,
        stream: Option<&IncomingArguments>,
        passed: Option<&Arc<PassedValue>>,
    ) -> io::Result<Execution> {
        let CallHead { run_id, attempt, function, seed, .. } = call;
        let request = RunRequest {
            manifest_url: String::new(),
            digest: None,
            manifest: None,
            arguments: None,
            key: None,
            attempt,
            variables: self.setup.variables.clone(),
            interrupt: CancellationToken::new(),
        };
        let (channel, held) = (Arc::clone(&self.channel), Arc::clone(&self.held));
        let output = GuestOutput::new(move |stream, bytes| {
            let kind = match stream {
                Stream::Stdout => FromWorkerKind::Stdout,
                Stream::Stderr => FromWorkerKind::Stderr,
            };
            // The program has closed the channel: the next receive ends this process.
            let _ = held.send(&channel, FromWorkerKind::Ends);
            let _ = channel.send([&without_head(kind as u8), bytes], &[]);
        });
        let powers = &self.setup.job.powers;
        let incoming = Incoming::new(&self.channel, powers, self.tmp.as_deref());
        let http = incoming.http.clone().map(|client| Arc::new(client) as Arc<dyn Client>);
        let commands = incoming.commands.clone().map(|client| Arc::new(client) as Arc<dyn Starter>);
        let value = passed.map(|passed| Arc::clone(passed) as Arc<dyn ValueSink>);
        let context = CallContext {
            job: &self.setup.job,
            run_id: &run_id,
            request: &request,
            layout: &self.layout,
            output: &output,
            function: &function,
            seed,
            spent: Duration::ZERO,
            interrupt: &request.interrupt,
            remote: Remote {
                http: http.as_ref(),
                commands: commands.as_ref(),
                arguments: stream.map(|stream| stream as &dyn ArgumentSource),
                value: value.as_ref(),
            },
            progress: None,
        };
        let execution = self.runtime.block_on(async {
            let permit = self.executor.permit().await;
            let call = pin!(execute(self.executor, self.component, context, arguments, permit));
            tokio::select! {
                biased;
                execution = call => Ok(execution),
                error = incoming.serve() => Err(error),
            }
        });
        incoming.close();
        execution
    }

    /// Holds the end of a call until others are sent, unless it is large.
    fn hold_end(&self, execution: Execution) -> io::Result<()> {
        let (end, value) = encoded(execution)?;
        if self.held.hold(&end, &value)? {
            return Ok(());
        }
        self.held.send(&self.channel, FromWorkerKind::Ends)?;
        match self.held.hold(&end, &value)? {
            true => Ok(()),
            false => self.send_parts(&end, &value),
        }
    }

    fn send_end(&self, execution: Execution) -> io::Result<()> {
        let (end, value) = encoded(execution)?;
        self.send_parts(&end, &value)
    }

    /// Sends the value or the failure, in parts, and then the statistics.
    fn send_parts(&self, end: &CallEnd, bytes: &[u8]) -> io::Result<()> {
        let end = begin(FromWorkerKind::End as u8, end)?;
        let last = send_all_but_last(&self.channel, bytes)?;
        self.channel.send([&end, last], &[])
    }
}

/// Returns the statistics of a call, and its value or its failure in MessagePack.
fn encoded(execution: Execution) -> io::Result<(CallEnd, Vec<u8>)> {
    let Execution { value, start_us, run_us, cpu_us, peak_memory, .. } = execution;
    let (bytes, is_failure) = match value {
        Ok(value) => (value, false),
        Err(failure) => (codec::to_vec(&failure.shortened()).map_err(io::Error::other)?, true),
    };
    Ok((CallEnd { is_failure, start_us, run_us, cpu_us, peak_memory }, bytes))
}
