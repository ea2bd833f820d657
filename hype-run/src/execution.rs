//! One call of one function, in a new instance and a new sandbox.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_wire::{Failure, FunctionRef, Job, Location};
use tokio_util::sync::CancellationToken;
use wasmtime::Store;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::budget::{Budget, Charge};
use crate::callee::ReadyComponent;
use crate::cpu_time;
use crate::deadline;
use crate::executor::{CallPermit, Executor};
use crate::failure::{self, Clues};
use crate::http::Client;
use crate::layout::Layout;
use crate::limiter::Limiter;
use crate::limits::{Bounds, HANDLES};
use crate::output::GuestOutput;
use crate::process::Starter;
use crate::program::Input;
use crate::progress::Progress;
use crate::run::{RunRequest, as_micros, micros};
use crate::sandbox::{self, Sandbox};
use crate::stack;
use crate::transport::{ArgumentSource, Arguments, ValueSink};

/// The state of one guest. It is dropped when the call has ended.
pub(crate) struct Guest {
    pub(crate) sandbox: Sandbox,
    pub(crate) table: ResourceTable,
    /// The memory of the guest, and of everything that the host holds for it.
    pub(crate) budget: Budget,
    /// The charge of `table`, see [`crate::held`].
    pub(crate) held: Charge,
    pub(crate) limiter: Limiter,
    pub(crate) panic: Option<Panic>,
}

/// A panic that the guest reported, before the trap that must follow.
pub(crate) struct Panic {
    pub(crate) message: String,
    pub(crate) location: Location,
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let Self { sandbox: Sandbox { requests, http, .. }, table, .. } = self;
        WasiHttpCtxView { hooks: requests, table, ctx: http }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.sandbox.wasi, table: &mut self.table }
    }
}

/// The result of a call, with its times and its memory.
#[derive(Debug)]
pub struct Execution {
    /// The value as MessagePack, or the failure of the call.
    pub value: Result<Vec<u8>, Failure>,
    /// The [`ProgramOutput`](hype_wire::ProgramOutput) of a program that failed, as MessagePack.
    pub output: Option<Vec<u8>>,
    /// The time to set up the sandbox and instantiate the component, in microseconds.
    pub start_us: u64,
    /// The time of the call itself, in microseconds.
    pub run_us: u64,
    /// The processor time of the guest and of the host's functions that it waited for, in microseconds. Zero if it is
    /// unknown.
    pub cpu_us: u64,
    /// The peak size of the guest's memories and tables, and of everything that the host held for it, in
    /// bytes.
    pub peak_memory: u64,
}

impl Execution {
    /// Returns the result of a call that never began.
    pub(crate) fn failed(failure: Failure) -> Self {
        Self {
            value: Err(failure),
            output: None,
            start_us: 0,
            run_us: 0,
            cpu_us: 0,
            peak_memory: 0,
        }
    }
}

/// The inputs of one call besides its component and arguments.
#[derive(Clone, Copy)]
pub(crate) struct CallContext<'a> {
    pub(crate) job: &'a Job,
    pub(crate) run_id: &'a str,
    pub(crate) request: &'a RunRequest,
    pub(crate) layout: &'a Layout,
    pub(crate) output: &'a GuestOutput,
    pub(crate) function: &'a FunctionRef,
    /// The seed of a deterministic call.
    pub(crate) seed: Option<u64>,
    /// The part of the call's timeout that was already spent, on its machine code.
    pub(crate) spent: Duration,
    /// Cancelling this token stops the call. It is that of the request, or a child of it.
    pub(crate) interrupt: &'a CancellationToken,
    /// The work that another process does for the guest.
    pub(crate) remote: Remote<'a>,
    /// The progress of the call, if another thread reads it.
    pub(crate) progress: Option<&'a Progress>,
}

impl CallContext<'_> {
    /// Returns the deadline of the call if it starts at `started`.
    pub(crate) fn deadline(&self, started: Instant) -> Option<Instant> {
        let timeout = self.job.limits.timeout()?.saturating_sub(self.spent);
        // A deadline beyond the range of the clock is no deadline.
        started.checked_add(timeout)
    }
}

/// The parts of a guest's powers that another process exercises for it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Remote<'a> {
    /// The client for the guest's HTTP requests, if they leave from another process.
    pub(crate) http: Option<&'a Arc<dyn Client>>,
    /// The starter of the guest's commands, if another process starts them.
    pub(crate) commands: Option<&'a Arc<dyn Starter>>,
    /// The arguments, if they arrive from another process.
    pub(crate) arguments: Option<&'a dyn ArgumentSource>,
    /// Takes a large value, if it is passed on to another process. The value of the [`Execution`] is empty then.
    pub(crate) value: Option<&'a Arc<dyn ValueSink>>,
}

/// Calls a function with `arguments`. Stops it at its deadline or when it is interrupted. The
/// call occupies the slot of `permit`.
pub(crate) async fn execute(
    executor: &Executor,
    component: &ReadyComponent,
    context: CallContext<'_>,
    arguments: &Bytes,
    permit: CallPermit,
) -> Execution {
    let CallContext { job, function, interrupt, progress, .. } = context;
    let started = Instant::now();
    let bounds = Bounds::from(&job.limits);
    let budget = Budget::new(bounds.memory);
    let prepared = component.find_callee(&job.component, function).and_then(|callee| {
        let input = match function {
            FunctionRef::Program(name) => {
                Some(Input::decode(name, arguments, &budget, &job.limits)?)
            }
            FunctionRef::Closure(_) | FunctionRef::Export { .. } => None,
        };
        let sandbox = sandbox::prepare(context, input, executor, &budget)?;
        Ok((callee, sandbox, executor.start_ticks()?))
    });
    let (callee, sandbox, _ticking) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return Execution::failed(failure),
    };
    if let Some(progress) = progress {
        progress.prepared(&budget, &sandbox.holdings);
    }
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let limiter = Limiter::new(budget.clone());
    let held = budget.empty_charge();
    let guest = Guest { sandbox, table, budget: budget.clone(), held, limiter, panic: None };
    let mut store = Store::new(component.engine(), guest);
    store.limiter(|guest| guest);
    store.set_max_component_handles(HANDLES);
    store.set_hostcall_fuel(bounds.host_call());
    let deadline = context.deadline(started);
    store.data_mut().sandbox.requests.deadline = deadline;
    deadline::enforce(&mut store, deadline, interrupt.clone());

    let mut called_at = None;
    let call = async {
        let instance = component.instantiate(&mut store).await?;
        let now = Instant::now();
        called_at = Some(now);
        if let Some(progress) = progress {
            progress.called(now);
        }
        let Remote { arguments: source, value: sink, .. } = context.remote;
        let arguments = source.map_or(Arguments::Bytes(arguments), Arguments::Source);
        callee.call(&mut store, &instance, arguments, sink).await
    };
    let (ended, cpu_time) =
        cpu_time::measure(pin!(deadline::within(deadline, interrupt, pin!(call)))).await;
    let run_us = called_at.map_or(0, micros);
    let start_us = micros(started).saturating_sub(run_us);
    let peak_memory = budget.peak();
    let pointer = ended.as_ref().err().and_then(|error| stack::pointer(&mut store, error));
    let guest = store.data_mut();
    let (panic, denied_growth) = (guest.panic.take(), guest.limiter.denied_growth());
    guest.sandbox.holdings.end();
    executor.release(store, permit);
    let value = match ended {
        Ok(Ok(value)) if value.len() as u64 > bounds.value => {
            Err(failure::value_too_large(function.plain_name(), &bounds))
        }
        Ok(returned) => returned,
        Err(error) => {
            let clues = Clues { panic, denied_growth, stack_pointer: pointer };
            Err(failure::from_error(&error, clues, job, function))
        }
    };
    let cpu_us = as_micros(cpu_time);
    Execution { value, output: None, start_us, run_us, cpu_us, peak_memory }
}
