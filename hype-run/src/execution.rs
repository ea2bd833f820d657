//! One call of one function, in an instance and a sandbox of its own.

use std::time::{Duration, Instant};

use hype_wire::{Failure, FunctionRef, Job, Location};
use wasmtime::Store;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::callee::ReadyComponent;
use crate::deadline;
use crate::end;
use crate::executor::{CallPermit, Executor};
use crate::layout::Layout;
use crate::limiter::Limiter;
use crate::limits::{Bounds, HANDLES};
use crate::output::Output;
use crate::run::{Request, micros};
use crate::sandbox::{self, Sandbox};
use crate::stack;

/// What belongs to one guest; it goes when the call has ended.
pub(crate) struct Guest {
    pub(crate) sandbox: Sandbox,
    table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) panic: Option<Panic>,
}

/// What the guest said of a panic, before the trap that must follow.
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

/// How a call went and what it took.
#[derive(Debug)]
pub struct Execution {
    /// The value's MessagePack, or why there is none.
    pub value: Result<Vec<u8>, Failure>,
    /// Setting up the sandbox and instantiating the component, in microseconds.
    pub start_us: u64,
    /// The call itself, in microseconds.
    pub run_us: u64,
    /// The most linear memory that the guest had, in bytes.
    pub peak_memory: u64,
}

impl Execution {
    /// Returns the execution of a call that never began.
    pub(crate) fn failed(failure: Failure) -> Self {
        Self { value: Err(failure), start_us: 0, run_us: 0, peak_memory: 0 }
    }
}

/// A call and everything that it needs besides the component.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) job: &'a Job,
    pub(crate) run_id: &'a str,
    pub(crate) request: &'a Request,
    pub(crate) layout: &'a Layout,
    pub(crate) output: &'a Output,
    pub(crate) function: &'a FunctionRef,
    /// The part of the call's time that was spent on its machine code.
    pub(crate) spent: Duration,
}

/// Calls a function with `arguments`, until the request is interrupted. The call runs in the slot of
/// `permit`.
pub(crate) async fn execute(
    executor: &Executor,
    component: &ReadyComponent,
    surroundings: Surroundings<'_>,
    arguments: &[u8],
    permit: CallPermit,
) -> Execution {
    let Surroundings { job, request, function, spent, .. } = surroundings;
    let started = Instant::now();
    let prepared = component.callee(&job.component, function).and_then(|callee| {
        Ok((callee, sandbox::prepare(surroundings, executor)?, executor.tick()?))
    });
    let (callee, sandbox, _ticking) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return Execution::failed(failure),
    };
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let bounds = Bounds::from(&job.limits);
    let limiter = Limiter::new(bounds.memory);
    let guest = Guest { sandbox, table, limiter, panic: None };
    let mut store = Store::new(component.engine(), guest);
    store.limiter(|guest| &mut guest.limiter);
    store.set_max_component_handles(HANDLES);
    store.set_hostcall_fuel(bounds.handed());
    let timeout = job.limits.timeout().map(|timeout| timeout.saturating_sub(spent));
    // One that no clock will ever reach is none.
    let deadline = timeout.and_then(|timeout| started.checked_add(timeout));
    store.data_mut().sandbox.requests.deadline = deadline;
    deadline::watch(&mut store, deadline, request.interrupt.clone());

    let mut called = None;
    let call = async {
        let instance = component.instantiate(&mut store).await?;
        called = Some(Instant::now());
        callee.call(&mut store, &instance, arguments).await
    };
    let ended = deadline::within(deadline, call).await;
    let run_us = called.map_or(0, micros);
    let start_us = micros(started).saturating_sub(run_us);
    let peak_memory = store.data().limiter.peak();
    let pointer = ended.as_ref().err().and_then(|error| stack::pointer(&mut store, error));
    let guest = store.data_mut();
    let (panic, refused) = (guest.panic.take(), guest.limiter.refused());
    guest.sandbox.clear();
    executor.end(store, permit);
    let value = match ended {
        Ok(Ok(value)) if value.len() as u64 > bounds.value => {
            Err(end::too_large(function.plain_name(), &bounds))
        }
        Ok(returned) => returned,
        Err(error) => Err(end::early(&error, (panic, refused), pointer, (job, function))),
    };
    Execution { value, start_us, run_us, peak_memory }
}
