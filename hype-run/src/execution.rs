//! One call of one function, in an instance and a sandbox of its own.

use std::time::{Duration, Instant};

use hype_wire::{Failure, FailureKind, Limits, Location, RunManifest, section};
use tokio_util::sync::CancellationToken;
use wasmtime::component::ResourceTable;
use wasmtime::{Store, Trap};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

use crate::backtrace;
use crate::deadline::{self, DeadlineExceeded, Interrupted};
use crate::executor::bindings::exports::spotify::hype::closure;
use crate::executor::bindings::spotify::hype::report;
use crate::executor::{ClosuresPre, Executor};
use crate::fetch::Inputs;
use crate::limiter::Limiter;
use crate::output::Output;
use crate::run::micros;
use crate::sandbox;

/// What belongs to one guest; it goes when the call has ended.
pub(crate) struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
    limiter: Limiter,
    panic: Option<Panic>,
}

/// What the guest said of a panic, before the trap that must follow.
struct Panic {
    message: String,
    location: Location,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl report::Host for Guest {
    fn panicked(&mut self, message: String, file: String, line: u32) {
        self.panic = Some(Panic { message, location: Location { file, line } });
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
pub(crate) struct Surroundings<'a> {
    pub(crate) attempt: u32,
    pub(crate) inputs: &'a Inputs,
    pub(crate) output: &'a Output,
}

/// How many resources a guest may have at once.
const HANDLES: usize = 10_000;

/// Calls the function that `manifest` names, until `interrupt` is cancelled.
pub(crate) async fn execute(
    executor: &Executor,
    component: &ClosuresPre<Guest>,
    manifest: &RunManifest,
    surroundings: Surroundings<'_>,
    interrupt: &CancellationToken,
) -> Execution {
    let Surroundings { attempt, inputs, output } = surroundings;
    let started = Instant::now();
    let mut execution = Execution { value: Ok(Vec::new()), start_us: 0, run_us: 0, peak_memory: 0 };
    let sandbox = match sandbox::prepare(manifest, attempt, &inputs.files, output) {
        Ok(sandbox) => sandbox,
        Err(failure) => {
            execution.value = Err(failure);
            return execution;
        }
    };
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let guest = Guest {
        wasi: sandbox.wasi,
        table,
        limiter: Limiter::new(manifest.limits.memory),
        panic: None,
    };
    let mut store = Store::new(component.engine(), guest);
    store.limiter(|guest| &mut guest.limiter);
    // One that no clock will ever reach is none.
    let deadline = manifest.limits.timeout().and_then(|timeout| started.checked_add(timeout));
    store.set_max_component_handles(HANDLES);
    // A result is bounded by the memory that a guest can have.
    store.set_hostcall_fuel(u32::MAX as usize);
    deadline::watch(&mut store, deadline, interrupt.clone());
    let _ticking = executor.tick();

    let mut called = None;
    let call = async {
        let closures = component.instantiate_async(&mut store).await?;
        called = Some(Instant::now());
        let interface = closures.spotify_hype_closure();
        interface.call_call(&mut store, &manifest.function, &inputs.arguments).await
    };
    let ended = deadline::within(deadline, call).await;
    execution.run_us = called.map_or(0, micros);
    execution.start_us = micros(started).saturating_sub(execution.run_us);
    execution.peak_memory = store.data().limiter.peak();
    let guest = store.into_data();
    execution.value = match ended {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(failure)) => Err(returned(failure)),
        Err(error) => {
            let function = section::plain_name(&manifest.function);
            Err(ended_early(&error, guest, function, &manifest.limits))
        }
    };
    execution
}

/// The failure that a component returned.
fn returned(failure: closure::Failure) -> Failure {
    let kind = match failure.kind {
        closure::FailureKind::Function => FailureKind::Function,
        closure::FailureKind::Incompatible => FailureKind::Incompatible,
    };
    Failure { causes: failure.causes, ..Failure::new(kind, failure.message) }
}

/// The failure of a guest that was stopped, or stopped itself, before it could return.
fn ended_early(error: &wasmtime::Error, guest: Guest, function: &str, limits: &Limits) -> Failure {
    let trap = error.downcast_ref::<Trap>();
    let aborted = trap == Some(&Trap::UnreachableCodeReached);
    let failure = if error.is::<DeadlineExceeded>() {
        let timeout = limits.timeout().unwrap_or(Duration::MAX);
        let message = format!("`{function}` ran longer than its timeout of {timeout:?}");
        Failure::new(FailureKind::Deadline, message)
    } else if error.is::<Interrupted>() {
        deadline::interrupted()
    } else if let (true, Some(panic)) = (aborted, guest.panic) {
        let mut failure = Failure::new(FailureKind::Panic, panic.message);
        failure.location = Some(panic.location);
        failure
    } else if guest.limiter.refused() && (aborted || trap.is_none()) {
        Failure::new(FailureKind::Memory, too_little_memory(function, limits))
    } else if error.is::<I32Exit>() {
        // Which status is lost: WASI only knows good and bad ones.
        let message = format!("`{function}` called `exit` instead of returning");
        Failure::new(FailureKind::Trap, message)
    } else {
        let mut failure = Failure::new(FailureKind::Trap, format!("`{function}` trapped"));
        // The outermost link of the chain is the backtrace, as text.
        let backtrace = usize::from(error.is::<wasmtime::WasmBacktrace>());
        failure.causes = error.chain().skip(backtrace).map(ToString::to_string).collect();
        failure
    };
    failure.with_backtrace(backtrace::frames(error))
}

/// In the largest unit in which it is a whole number.
fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(bits, _)| bytes > 0 && bytes.trailing_zeros() >= *bits);
    match unit {
        Some((bits, unit)) => format!("{} {unit}", bytes >> bits),
        None => format!("{bytes} bytes"),
    }
}

fn too_little_memory(function: &str, limits: &Limits) -> String {
    match limits.memory {
        Some(limit) => {
            format!("`{function}` needed more memory than its limit of {}", size(limit))
        }
        None => format!("`{function}` needed more memory than the 4 GiB that WebAssembly has"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_read_as_they_were_written() {
        for (bytes, text) in
            [(64 << 20, "64 MiB"), (3 << 29, "1536 MiB"), (1 << 16, "64 KiB"), (0, "0 bytes")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
