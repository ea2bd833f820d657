//! What ended a guest without a value, in words and as a kind.

use std::fmt;
use std::time::Duration;

use hype_wire::{Failure, FailureKind, FunctionRef, Job, Limits, Remedy};
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

use crate::backtrace;
use crate::deadline::{self, DeadlineExceeded, Interrupted};
use crate::embedding::bindings::exports::spotify::hype::closure;
use crate::execution::Panic;
use crate::filesystem::{NoFiles, TooMany};
use crate::limiter::Refused;
use crate::limits::Bounds;
use crate::power::Denied;
use crate::stack::{self, StackPointer};

/// The error of a component that has what hype calls, and of another type.
#[derive(Debug)]
pub(crate) struct Misfit;

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the component doesn't fit")
    }
}

/// The failure that a component returned.
pub(crate) fn returned(failure: closure::Failure) -> Failure {
    let kind = match failure.kind {
        closure::FailureKind::Function => FailureKind::Function,
        closure::FailureKind::Incompatible => FailureKind::Incompatible,
    };
    Failure { causes: failure.causes, ..Failure::new(kind, failure.message) }
}

/// The failure of a function whose value is too large.
pub(crate) fn too_large(function: &str, bounds: &Bounds) -> Failure {
    let limit = size(bounds.value);
    let message = format!("the value of `{function}` is larger than its limit of {limit}");
    Failure::new(FailureKind::Result, message)
}

/// The failure of a guest that was stopped, or stopped itself, before it could return.
///
/// It may have told of a panic, and been refused something. `pointer` is its stack pointer at the end.
pub(crate) fn early(
    error: &wasmtime::Error,
    (panic, was_refused): (Option<Panic>, Option<Refused>),
    pointer: Option<StackPointer>,
    (job, function): (&Job, &FunctionRef),
) -> Failure {
    let (function, limits) = (function.plain_name(), &job.limits);
    let frames = backtrace::frames(error);
    let failure = stopped(error, function, limits)
        .or_else(|| error.downcast_ref().map(|NoFiles(failure)| failure.clone()))
        .or_else(|| denied(error, function))
        .or_else(|| misfit(error, &job.component.name))
        .or_else(|| panicked(error, panic))
        .or_else(|| out_of_stack(error, pointer, function))
        .or_else(|| too_many(error, function))
        .or_else(|| too_much_at_once(error, function, limits, frames.is_empty()))
        .or_else(|| left(error, function))
        .or_else(|| refused(error, was_refused?, function, limits))
        .unwrap_or_else(|| because(error, FailureKind::Trap, format!("`{function}` trapped")));
    failure.with_backtrace(frames)
}

fn stopped(error: &wasmtime::Error, function: &str, limits: &Limits) -> Option<Failure> {
    if error.is::<DeadlineExceeded>() {
        let timeout = limits.timeout().unwrap_or(Duration::MAX);
        let message = format!("`{function}` ran longer than its timeout of {timeout:?}");
        return Some(Failure::new(FailureKind::Deadline, message));
    }
    error.is::<Interrupted>().then(deadline::interrupted)
}

fn denied(error: &wasmtime::Error, function: &str) -> Option<Failure> {
    let denied: &Denied = error.downcast_ref()?;
    let failure = Failure::new(FailureKind::Power, format!("`{function}` {denied}"));
    Some(failure.with_remedy(denied.remedy))
}

fn misfit(error: &wasmtime::Error, component: &str) -> Option<Failure> {
    error.is::<Misfit>().then(|| {
        let message = format!("component {component} has a `call` of another type than hype's");
        let causes = error.chain().skip(1).map(ToString::to_string).collect();
        Failure { causes, ..Failure::new(FailureKind::Incompatible, message) }
    })
}

/// A panic that the guest told of, if the trap is the one that must follow.
fn panicked(error: &wasmtime::Error, panic: Option<Panic>) -> Option<Failure> {
    let Panic { message, location } = panic.filter(|_| aborted(error))?;
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
        because(error, FailureKind::Stack, message)
    })
}

fn too_many(error: &wasmtime::Error, function: &str) -> Option<Failure> {
    let what = what_there_were_too_many_of(error)?;
    let message = format!("`{function}` had more {what} than a closure may have");
    Some(because(error, FailureKind::Resources, message))
}

/// Nothing of the guest is on the stack any more when its value is taken.
fn too_much_at_once(
    error: &wasmtime::Error,
    function: &str,
    limits: &Limits,
    has_returned: bool,
) -> Option<Failure> {
    // wasmtime has no type for it.
    if !causes(error).iter().any(|cause| cause.contains("fuel allocated for hostcalls")) {
        return None;
    }
    let bounds = Bounds::from(limits);
    if has_returned {
        return Some(too_large(function, &bounds));
    }
    let limit = size(bounds.handed() as u64);
    let message = format!("`{function}` handed more than {limit} to the host at once");
    Some(Failure::new(FailureKind::Resources, message))
}

/// Which status it left with is lost: WASI only knows good and bad ones.
fn left(error: &wasmtime::Error, function: &str) -> Option<Failure> {
    let message = format!("`{function}` called `exit` instead of returning");
    let failure = Failure::new(FailureKind::Trap, message).with_remedy(Remedy::Return);
    error.is::<I32Exit>().then_some(failure)
}

/// What it was refused is why it ended, unless it trapped for another reason.
fn refused(
    error: &wasmtime::Error,
    refused: Refused,
    function: &str,
    limits: &Limits,
) -> Option<Failure> {
    if error.is::<Trap>() && !aborted(error) {
        return None;
    }
    Some(match refused {
        Refused::Memory => {
            let remedy = limits.memory.is_none().then_some(Remedy::LessMemory);
            let message = too_little_memory(function, limits);
            Failure::new(FailureKind::Memory, message).with_remedy(remedy)
        }
        Refused::TableElements => {
            let message = format!("`{function}` needed larger tables than a closure may have");
            Failure::new(FailureKind::Resources, message)
        }
    })
}

fn aborted(error: &wasmtime::Error) -> bool {
    error.downcast_ref() == Some(&Trap::UnreachableCodeReached)
}

fn because(error: &wasmtime::Error, kind: FailureKind, message: String) -> Failure {
    Failure { causes: causes(error), ..Failure::new(kind, message) }
}

fn what_there_were_too_many_of(error: &wasmtime::Error) -> Option<&'static str> {
    match error.downcast_ref() {
        Some(TooMany::OpenFiles) => return Some("open files"),
        Some(TooMany::Listings) => return Some("directories being listed"),
        None => {}
    }
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        return Some("handles");
    }
    // wasmtime has no types for these.
    let causes = causes(error);
    let told = |words: &str| causes.iter().any(|cause| cause.contains(words));
    if told("store handle limit exceeded") {
        Some("handles")
    } else if told("resource limit exceeded: ") {
        Some("instances, tables or memories")
    } else {
        None
    }
}

/// The address that the guest reached for and that isn't in its memory, where wasmtime tells it.
fn fault(error: &wasmtime::Error) -> Option<u64> {
    // wasmtime has no type for it.
    causes(error).iter().find_map(|cause| {
        let cause = cause.strip_prefix("memory fault at wasm address 0x")?;
        u64::from_str_radix(cause.split(' ').next()?, 16).ok()
    })
}

/// The chain of `error` as text, without the outermost links that hold the backtrace and the instances.
fn causes(error: &wasmtime::Error) -> Vec<String> {
    let contexts = [error.is::<wasmtime::WasmBacktrace>(), error.is::<wasmtime::WasmCoreDump>()];
    let contexts = contexts.into_iter().filter(|is_there| *is_there).count();
    error.chain().skip(contexts).map(ToString::to_string).collect()
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
