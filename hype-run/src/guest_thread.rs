//! A guest on a thread of its own, in machine code without checks: for a process that makes one call.
//!
//! Everything else stays on the runtime of the thread that calls [`execute`]: signals, timers, the tasks of HTTP requests
//! and of commands, the stage and the outcome. The guest's thread only polls its call; that runtime wakes it up.
//!
//! A guest that waits for the host ends as on any thread (`deadline::within`). One that computes notices nothing. So a
//! signal makes its thread report the guest's stack ([`guest_stack`](crate::guest_stack)) and then sleep until the process
//! ends. If the signal arrives in a call of the host, nothing happens, and the next signal follows.
//!
//! The thread sends one end of the call: either the guest has returned, or it was stopped. If neither arrives in time,
//! since a call of the host takes too long, this side closes the channel, and then no end can arrive. So exactly one end
//! counts.

use std::cell::Cell;
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_wire::{Failure, FailureKind, Frame, FunctionRef, Job};
use libc::{c_int, c_void, siginfo_t};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::callee::ReadyComponent;
use crate::cpu_time;
use crate::deadline;
use crate::execution::{self, CallContext, Execution, Remote};
use crate::executor::{CallPermit, Executor};
use crate::failure;
use crate::guest_stack::{Interrupted, MachineText, handle_signal};
use crate::layout::Layout;
use crate::output::GuestOutput;
use crate::progress::Progress;
use crate::run::{RunRequest, as_micros};

/// The signal that stops a guest. Without a handler it has no effect, and this process has no other use for it.
const SIGNAL: c_int = libc::SIGURG;

/// The interval between two signals, of which one must arrive while the guest computes.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(1);

/// The time that a guest has to stop. Only a call of the host that takes longer needs it.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

static HANDLER: Once = Once::new();

thread_local! {
    /// The state of this thread's guest; null on all other threads.
    static GUEST: Cell<*const Shared> = const { Cell::new(std::ptr::null()) };
}

/// The state that the guest's thread shares with that of [`execute`].
struct Shared {
    text: MachineText,
    interrupted: Interrupted,
    /// Whether the guest must stop. Without it, the signal comes from elsewhere.
    is_stopping: AtomicBool,
    /// Only the guest's thread takes it.
    end: Mutex<Option<oneshot::Sender<End>>>,
    progress: Progress,
}

/// The end of a call.
enum End {
    Returned(Execution),
    /// The guest was stopped while it computed. Its thread sleeps.
    Stopped {
        frames: Vec<Frame>,
        cpu_time: Duration,
    },
}

/// The reason to stop a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Deadline,
    Interrupted,
}

/// Makes a call on a new thread. Stops it at its deadline or when it is interrupted, also while the guest computes.
///
/// The thread of a stopped guest, and the guest's memory, remain until the process ends.
pub(crate) async fn execute(
    executor: &Executor,
    component: &ReadyComponent,
    context: CallContext<'_>,
    arguments: Bytes,
    permit: CallPermit,
) -> Execution {
    let started = Instant::now();
    let (sender, mut ended) = oneshot::channel();
    let shared = Arc::new(Shared::new(component, sender));
    let call = OwnedCall::new(executor, component, context, arguments);
    let thread = match start(&shared, call, permit) {
        Ok(thread) => thread,
        Err(failure) => return Execution::failed(failure),
    };
    let reason = tokio::select! {
        biased;
        end = &mut ended => return end_of(end.ok(), &shared, context, started, None),
        () = context.interrupt.cancelled() => Reason::Interrupted,
        () = deadline::until(context.deadline(started)) => Reason::Deadline,
    };
    shared.is_stopping.store(true, Ordering::Relaxed);
    let signals = tokio::spawn(send_signals(thread));
    let end = tokio::select! {
        biased;
        end = &mut ended => end.ok(),
        () = tokio::time::sleep(STOP_TIMEOUT) => {
            ended.close();
            ended.try_recv().ok()
        }
    };
    if end.is_some() {
        signals.abort();
    }
    // Otherwise they stop the guest as soon as it computes again.
    end_of(end, &shared, context, started, Some(reason))
}

/// Returns the result of a call with this end.
fn end_of(
    end: Option<End>,
    shared: &Shared,
    context: CallContext<'_>,
    started: Instant,
    reason: Option<Reason>,
) -> Execution {
    let (frames, cpu_time) = match end {
        Some(End::Returned(execution)) => return execution,
        Some(End::Stopped { frames, cpu_time }) => (frames, cpu_time),
        None => (Vec::new(), Duration::ZERO),
    };
    shared.progress.end_holdings();
    let failure = match reason {
        Some(Reason::Deadline) => {
            failure::deadline(context.function.plain_name(), &context.job.limits)
        }
        Some(Reason::Interrupted) => deadline::interrupted(),
        None => Failure::new(FailureKind::Infrastructure, "the thread of the function panicked"),
    };
    let execution = Execution::failed(failure.with_backtrace(frames));
    shared.progress.complete(started, Execution { cpu_us: as_micros(cpu_time), ..execution })
}

/// Starts the thread of a guest.
fn start(
    shared: &Arc<Shared>,
    call: OwnedCall,
    permit: CallPermit,
) -> Result<JoinHandle<()>, Failure> {
    HANDLER.call_once(|| handle_signal(SIGNAL, handle, &[]));
    let (shared, runtime) = (Arc::clone(shared), Handle::current());
    let thread = std::thread::Builder::new().name("hype-guest".into());
    let started = thread.spawn(move || {
        let registered = Registered::new(&shared);
        let execution = runtime.block_on(call.execute(&shared.progress, permit));
        registered.0.send(End::Returned(execution));
    });
    started.map_err(|error| {
        let causes = vec![error.to_string()];
        let problem = "cannot start the thread of the function";
        Failure { causes, ..Failure::new(FailureKind::Infrastructure, problem) }
    })
}

/// Sends the signal to the guest's thread again and again.
async fn send_signals(thread: JoinHandle<()>) {
    let mut interval = tokio::time::interval(SIGNAL_INTERVAL);
    loop {
        interval.tick().await;
        // SAFETY: the thread isn't joined, so that its handle is valid.
        unsafe { libc::pthread_kill(thread.as_pthread_t() as libc::pthread_t, SIGNAL) };
    }
}

extern "C" fn handle(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the state outlives its registration on this thread.
    let Some(shared) = (unsafe { GUEST.get().as_ref() }) else { return };
    if shared.is_stopping.load(Ordering::Relaxed) {
        // SAFETY: the kernel passes the context.
        unsafe { shared.text.divert(context, &shared.interrupted, stop) };
    }
}

/// Reports the stack of the guest on whose stack it runs, and never returns to it.
extern "C" fn stop() -> ! {
    // SAFETY: the state outlives its registration on this thread, which never ends.
    if let Some(shared) = unsafe { GUEST.get().as_ref() } {
        let frames = shared.text.frames(&shared.interrupted);
        shared.send(End::Stopped { frames, cpu_time: cpu_time::of_thread() });
    }
    loop {
        std::thread::park();
    }
}

impl Shared {
    fn new(component: &ReadyComponent, end: oneshot::Sender<End>) -> Self {
        Self {
            text: MachineText::of(component.component()),
            interrupted: Interrupted::new(),
            is_stopping: AtomicBool::new(false),
            end: Mutex::new(Some(end)),
            progress: Progress::default(),
        }
    }

    fn send(&self, end: End) {
        if let Some(sender) = self.take_sender() {
            // The receiver is closed if the end comes too late.
            let _ = sender.send(end);
        }
    }

    fn take_sender(&self) -> Option<oneshot::Sender<End>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The registration of a guest's state on this thread. Dropping it unregisters the state, and closes the channel if
/// nothing was sent.
struct Registered<'a>(&'a Shared);

impl<'a> Registered<'a> {
    fn new(shared: &'a Shared) -> Self {
        GUEST.set(shared);
        unblock_signal();
        Self(shared)
    }
}

/// Lets the signal reach this thread, also if the program that started this process has blocked it.
fn unblock_signal() {
    // SAFETY: this changes only which signals this thread receives.
    unsafe {
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut signals, SIGNAL);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const signals, std::ptr::null_mut());
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        GUEST.set(std::ptr::null());
        drop(self.0.take_sender());
    }
}

/// A call, with everything that it needs.
struct OwnedCall {
    executor: Executor,
    component: ReadyComponent,
    arguments: Bytes,
    job: Job,
    run_id: String,
    request: RunRequest,
    layout: Layout,
    output: GuestOutput,
    function: FunctionRef,
    seed: Option<u64>,
    spent: Duration,
    interrupt: CancellationToken,
}

impl OwnedCall {
    fn new(
        executor: &Executor,
        component: &ReadyComponent,
        context: CallContext<'_>,
        arguments: Bytes,
    ) -> Self {
        Self {
            executor: executor.of_same_engine(),
            component: component.clone(),
            arguments,
            job: context.job.clone(),
            run_id: context.run_id.to_owned(),
            request: context.request.clone(),
            layout: context.layout.without_removal(),
            output: context.output.clone(),
            function: context.function.clone(),
            seed: context.seed,
            spent: context.spent,
            interrupt: context.interrupt.clone(),
        }
    }

    async fn execute(&self, progress: &Progress, permit: CallPermit) -> Execution {
        let context = CallContext {
            job: &self.job,
            run_id: &self.run_id,
            request: &self.request,
            layout: &self.layout,
            output: &self.output,
            function: &self.function,
            seed: self.seed,
            spent: self.spent,
            interrupt: &self.interrupt,
            remote: Remote::default(),
            progress: Some(progress),
        };
        execution::execute(&self.executor, &self.component, context, &self.arguments, permit).await
    }
}
