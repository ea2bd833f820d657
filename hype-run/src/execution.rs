//! One call of one function, in an instance and a sandbox of its own.

use std::time::{Duration, Instant};

use hype_wire::{Failure, Location, RunManifest, section};
use wasmtime::Store;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::deadline;
use crate::end::{self, Misfit};
use crate::executor::{Closures, ClosuresPre, Executor, Turn};
use crate::fetch::Inputs;
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

/// What an attempt gives its guest besides what stands in the manifest.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) request: &'a Request,
    pub(crate) inputs: &'a Inputs,
    pub(crate) output: &'a Output,
    /// How much of its time is over, spent on its machine code.
    pub(crate) spent: Duration,
}

/// Calls the function that `manifest` names, until the request is interrupted. Its room among the guests is
/// `turn`.
pub(crate) async fn execute(
    executor: &Executor,
    component: &ClosuresPre<Guest>,
    manifest: &RunManifest,
    surroundings: Surroundings<'_>,
    turn: Turn,
) -> Execution {
    let Surroundings { request, inputs, spent, .. } = surroundings;
    let started = Instant::now();
    let mut execution = Execution { value: Ok(Vec::new()), start_us: 0, run_us: 0, peak_memory: 0 };
    let sandbox = sandbox::prepare(manifest, surroundings, executor);
    let (sandbox, _ticking) = match sandbox.and_then(|sandbox| Ok((sandbox, executor.tick()?))) {
        Ok(prepared) => prepared,
        Err(failure) => {
            execution.value = Err(failure);
            return execution;
        }
    };
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let bounds = Bounds::from(&manifest.limits);
    let limiter = Limiter::new(bounds.memory);
    let guest = Guest { sandbox, table, limiter, panic: None };
    let mut store = Store::new(component.engine(), guest);
    store.limiter(|guest| &mut guest.limiter);
    store.set_max_component_handles(HANDLES);
    store.set_hostcall_fuel(bounds.handed());
    let timeout = manifest.limits.timeout().map(|timeout| timeout.saturating_sub(spent));
    // One that no clock will ever reach is none.
    let deadline = timeout.and_then(|timeout| started.checked_add(timeout));
    store.data_mut().sandbox.requests.deadline = deadline;
    deadline::watch(&mut store, deadline, request.interrupt.clone());

    let mut called = None;
    let call = async {
        let instance = component.instance_pre().instantiate_async(&mut store).await?;
        let closures =
            Closures::new(&mut store, &instance).map_err(|error| error.context(Misfit))?;
        called = Some(Instant::now());
        let interface = closures.spotify_hype_closure();
        interface.call_call(&mut store, &manifest.function, &inputs.arguments).await
    };
    let ended = deadline::within(deadline, call).await;
    execution.run_us = called.map_or(0, micros);
    execution.start_us = micros(started).saturating_sub(execution.run_us);
    execution.peak_memory = store.data().limiter.peak();
    let pointer = ended.as_ref().err().and_then(|error| stack::pointer(&mut store, error));
    let guest = store.data_mut();
    let (panic, refused) = (guest.panic.take(), guest.limiter.refused());
    guest.sandbox.clear();
    executor.end(store, turn);
    let function = section::plain_name(&manifest.function);
    execution.value = match ended {
        Ok(Ok(value)) if value.len() as u64 > bounds.value => {
            Err(end::too_large(function, &bounds))
        }
        Ok(Ok(value)) => Ok(value),
        Ok(Err(failure)) => Err(end::returned(failure)),
        Err(error) => Err(end::early(&error, (panic, refused), pointer, manifest)),
    };
    execution
}
