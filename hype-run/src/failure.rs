//! Converts the error that ended a guest to a failure with a kind and a message.

use std::fmt;
use std::time::Duration;

use hype_wire::{Bytes, Failure, FailureKind, FunctionRef, Job, Limits, Remedy, codec, wit};
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

use crate::backtrace;
use crate::budget::OverBudget;
use crate::deadline::{self, DeadlineExceeded, Interrupted};
use crate::embedding::bindings::exports::spotify::hype::closure;
use crate::execution::Panic;
use crate::filesystem::{NoFiles, TooMany};
use crate::limiter::DeniedGrowth;
use crate::limits::Bounds;
use crate::power::Denied;
use crate::stack::{self, StackPointer};
use crate::typed::{Invalid, Mismatch};

/// The error of a component whose function `call` has another type than hype's.
#[derive(Debug)]
pub(crate) struct WrongType;

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the component's `call` has the wrong type")
    }
}

/// Converts a failure that a component returned.
pub(crate) fn returned(failure: closure::Failure) -> Failure {
    let kind = match failure.kind {
        closure::FailureKind::Function => FailureKind::Function,
        closure::FailureKind::Incompatible => FailureKind::Incompatible,
    };
    Failure { causes: failure.causes, ..Failure::new(kind, failure.message) }
}

/// Returns the failure of a function with WIT types that returned `error`, as MessagePack.
pub(crate) fn of_result(function: &FunctionRef, error: Vec<u8>) -> Failure {
    let message = match codec::from_slice::<Option<String>>(&error) {
        Ok(Some(text)) => text,
        Ok(None) => format!("`{}` returned an error without a value", function.plain_name()),
        Err(_) => wit::render(&error),
    };
    Failure { value: Some(Box::new(Bytes(error))), ..Failure::new(FailureKind::Function, message) }
}

/// Returns the failure of a call whose arguments don't fit the parameters.
pub(crate) fn mismatch(function: &FunctionRef, mismatch: &Mismatch) -> Failure {
    let message = format!("`{}`: {mismatch}", function.plain_name());
    Failure::new(FailureKind::Incompatible, message)
}

/// Returns the failure of a function whose value is larger than its limit.
pub(crate) fn value_too_large(function: &str, bounds: &Bounds) -> Failure {
    let limit = size(bounds.value);
    let message = format!("the value of `{function}` is larger than its limit of {limit}");
    Failure::new(FailureKind::Result, message)
}

/// Returns the failure of a program whose output is larger than its limit.
pub(crate) fn output_too_large(program: &str, bounds: &Bounds) -> Failure {
    let limit = size(bounds.value);
    let message = format!("the output of `{program}` is larger than its limit of {limit}");
    Failure::new(FailureKind::Result, message)
}

/// Returns the failure of a program whose standard input doesn't fit into its memory limit.
pub(crate) fn input_too_large(program: &str, limits: &Limits) -> Failure {
    let causes = vec![OverBudget.to_string()];
    Failure { causes, ..out_of_memory(program, limits) }
}

/// The state of a guest at its end, which explains a trap.
pub(crate) struct Clues {
    /// The panic that the guest reported.
    pub(crate) panic: Option<Panic>,
    /// The last growth of memory or tables that the guest was denied.
    pub(crate) denied_growth: Option<DeniedGrowth>,
    pub(crate) stack_pointer: Option<StackPointer>,
}

/// Returns the failure of a guest that `error` ended before it returned.
pub(crate) fn from_error(
    error: &wasmtime::Error,
    clues: Clues,
    job: &Job,
    function: &FunctionRef,
) -> Failure {
    let Clues { panic, denied_growth, stack_pointer } = clues;
    let (function, limits) = (function.plain_name(), &job.limits);
    let frames = backtrace::frames(error);
    let failure = stopped(error, function, limits)
        .or_else(|| error.downcast_ref().map(|NoFiles(failure)| failure.clone()))
        .or_else(|| denied(error, function))
        .or_else(|| wrong_type(error, &job.component.name))
        .or_else(|| panicked(error, panic))
        .or_else(|| out_of_stack(error, stack_pointer, function))
        .or_else(|| too_many_resources(error, function))
        .or_else(|| host_call_too_large(error, function, limits, frames.is_empty()))
        .or_else(|| over_budget(error, function, limits))
        .or_else(|| exited(error, function))
        .or_else(|| invalid_value(error, function))
        .or_else(|| growth_denied(error, denied_growth?, function, limits))
        .unwrap_or_else(|| with_causes(error, FailureKind::Trap, format!("`{function}` trapped")));
    failure.with_backtrace(frames)
}

fn stopped(error: &wasmtime::Error, function: &str, limits: &Limits) -> Option<Failure> {
    if error.is::<DeadlineExceeded>() {
        return Some(deadline(function, limits));
    }
    error.is::<Interrupted>().then(deadline::interrupted)
}

/// Returns the failure of a function that ran longer than its timeout.
pub(crate) fn deadline(function: &str, limits: &Limits) -> Failure {
    let timeout = limits.timeout().unwrap_or(Duration::MAX);
    let message = format!("`{function}` ran longer than its timeout of {timeout:?}");
    Failure::new(FailureKind::Deadline, message)
}

fn denied(error: &wasmtime::Error, function: &str) -> Option<Failure> {
    let denied: &Denied = error.downcast_ref()?;
    let failure = Failure::new(FailureKind::Power, format!("`{function}` {denied}"));
    Some(failure.with_remedy(denied.remedy))
}

fn wrong_type(error: &wasmtime::Error, component: &str) -> Option<Failure> {
    error.is::<WrongType>().then(|| {
        let message = format!("component {component} has a `call` of another type than hype's");
        let causes = error.chain().skip(1).map(ToString::to_string).collect();
        Failure { causes, ..Failure::new(FailureKind::Incompatible, message) }
    })
}

/// Returns the failure of a panic that the guest reported, if the guest then aborted.
fn panicked(error: &wasmtime::Error, panic: Option<Panic>) -> Option<Failure> {
    let Panic { message, location } = panic.filter(|_| has_aborted(error))?;
    let location = Some(location);
    Some(Failure { location, ..Failure::new(FailureKind::Panic, message) })
}

fn out_of_stack(
    error: &wasmtime::Error,
    pointer: Option<StackPointer>,
    function: &str,
) -> Option<Failure> {
    let is_overflow = error.downcast_ref() == Some(&Trap::StackOverflow);
    (is_overflow || stack::is_exhausted(pointer, fault(error))).then(|| {
        let message = format!(
            "`{function}` ran out of stack: it called too deep, or kept a large array there"
        );
        with_causes(error, FailureKind::Stack, message)
    })
}

fn too_many_resources(error: &wasmtime::Error, function: &str) -> Option<Failure> {
    let resource = exhausted_resource(error)?;
    let message = format!("`{function}` had more {resource} than a closure may have");
    Some(with_causes(error, FailureKind::Resources, message))
}

/// Returns the failure of a guest that passed too many bytes to the host in one call. If `has_returned`,
/// that call returned the guest's value: no frame of the guest was left.
fn host_call_too_large(
    error: &wasmtime::Error,
    function: &str,
    limits: &Limits,
    has_returned: bool,
) -> Option<Failure> {
    // wasmtime has no type for this error.
    if !causes(error).iter().any(|cause| cause.contains("fuel allocated for hostcalls")) {
        return None;
    }
    let bounds = Bounds::from(limits);
    if has_returned {
        return Some(value_too_large(function, &bounds));
    }
    let limit = size(bounds.host_call() as u64);
    let message = format!("`{function}` passed more than {limit} to the host in one call");
    Some(Failure::new(FailureKind::Resources, message))
}

/// Returns the failure of a guest that called `exit`. WASI reports only success or failure, not the
/// status.
fn exited(error: &wasmtime::Error, function: &str) -> Option<Failure> {
    let message = format!("`{function}` called `exit` instead of returning");
    let failure = Failure::new(FailureKind::Trap, message).with_remedy(Remedy::Return);
    error.is::<I32Exit>().then_some(failure)
}

/// Returns the failure of a guest that returned something that is not a value of its function's type.
fn invalid_value(error: &wasmtime::Error, function: &str) -> Option<Failure> {
    let invalid: &Invalid = error.downcast_ref()?;
    Some(Failure::new(FailureKind::Trap, format!("`{function}`: {invalid}")))
}

/// Returns the failure of a guest that was denied a growth, unless it trapped for another reason.
fn growth_denied(
    error: &wasmtime::Error,
    denied_growth: DeniedGrowth,
    function: &str,
    limits: &Limits,
) -> Option<Failure> {
    if error.is::<Trap>() && !has_aborted(error) && !has_aborted_in_realloc(error) {
        return None;
    }
    Some(match denied_growth {
        DeniedGrowth::Memory => out_of_memory(function, limits),
        DeniedGrowth::TableElements => {
            let message = format!("`{function}` needed larger tables than a closure may have");
            Failure::new(FailureKind::Resources, message)
        }
    })
}

/// Returns the failure of a guest for which the host would hold more than its memory limit.
fn over_budget(error: &wasmtime::Error, function: &str, limits: &Limits) -> Option<Failure> {
    let over: &OverBudget = error.downcast_ref()?;
    let mut failure = out_of_memory(function, limits);
    failure.causes.push(over.to_string());
    Some(failure)
}

fn out_of_memory(function: &str, limits: &Limits) -> Failure {
    let remedy = limits.memory.is_none().then_some(Remedy::LessMemory);
    Failure::new(FailureKind::Memory, memory_message(function, limits)).with_remedy(remedy)
}

/// Returns the failure of a function whose worker process was killed since it used more than `most` bytes. It had more than
/// its guest may use, so that the guest's own limit did not hold.
#[cfg(target_os = "linux")]
pub(crate) fn worker_out_of_memory(function: &str, limits: &Limits, most: u64) -> Failure {
    let limit = size(Bounds::from(limits).memory);
    let message = format!(
        "the worker process of `{function}` was killed, since it used more than {} MiB of memory: more than the \
         function's {limit}, its value, and a reserve",
        most >> 20
    );
    Failure::new(FailureKind::Memory, message)
}

fn has_aborted(error: &wasmtime::Error) -> bool {
    error.downcast_ref() == Some(&Trap::UnreachableCodeReached)
}

/// Returns whether the guest called an import where it must not. An allocator that has no memory for the arguments does so,
/// to print a message or to exit.
fn has_aborted_in_realloc(error: &wasmtime::Error) -> bool {
    error.downcast_ref() == Some(&Trap::CannotLeaveComponent)
}

fn with_causes(error: &wasmtime::Error, kind: FailureKind, message: String) -> Failure {
    Failure { causes: causes(error), ..Failure::new(kind, message) }
}

/// Returns the plural name of the resource of which the guest had too many.
fn exhausted_resource(error: &wasmtime::Error) -> Option<&'static str> {
    match error.downcast_ref() {
        Some(TooMany::OpenFiles) => return Some("open files"),
        Some(TooMany::Listings) => return Some("directories being listed"),
        None => {}
    }
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        return Some("handles");
    }
    // wasmtime has no types for these errors.
    let causes = causes(error);
    let has_cause = |text: &str| causes.iter().any(|cause| cause.contains(text));
    if has_cause("store handle limit exceeded") {
        Some("handles")
    } else if has_cause("resource limit exceeded: ") {
        Some("instances, tables or memories")
    } else {
        None
    }
}

/// Returns the address of an access outside of the guest's memory, if wasmtime reports one.
fn fault(error: &wasmtime::Error) -> Option<u64> {
    // wasmtime has no type for this error.
    causes(error).iter().find_map(|cause| {
        let cause = cause.strip_prefix("memory fault at wasm address 0x")?;
        u64::from_str_radix(cause.split(' ').next()?, 16).ok()
    })
}

/// Returns the chain of `error` as text, without the outermost contexts: the backtrace and the instances.
fn causes(error: &wasmtime::Error) -> Vec<String> {
    let contexts = [error.is::<wasmtime::WasmBacktrace>(), error.is::<wasmtime::WasmCoreDump>()];
    let contexts = contexts.into_iter().filter(|is_present| *is_present).count();
    error.chain().skip(contexts).map(ToString::to_string).collect()
}

/// Formats `bytes` in the largest unit in which it is a whole number.
fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(bits, _)| bytes > 0 && bytes.trailing_zeros() >= *bits);
    match unit {
        Some((bits, unit)) => format!("{} {unit}", bytes >> bits),
        None => format!("{bytes} bytes"),
    }
}

fn memory_message(function: &str, limits: &Limits) -> String {
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
    fn size_uses_the_largest_exact_unit() {
        for (bytes, text) in
            [(64 << 20, "64 MiB"), (3 << 29, "1536 MiB"), (1 << 16, "64 KiB"), (0, "0 bytes")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
