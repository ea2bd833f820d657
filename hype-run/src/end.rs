//! What ended a guest without a value, in words and as a kind.

use std::fmt;
use std::time::Duration;

use hype_wire::{Failure, FailureKind, Limits, RunManifest, section};
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

use crate::backtrace;
use crate::deadline::{self, DeadlineExceeded, Interrupted};
use crate::execution::Guest;
use crate::executor::bindings::exports::spotify::hype::closure;
use crate::filesystem::TooMany;
use crate::limiter::Refused;
use crate::limits::Bounds;

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
pub(crate) fn early(error: &wasmtime::Error, guest: Guest, manifest: &RunManifest) -> Failure {
    let (function, limits) = (section::plain_name(&manifest.function), &manifest.limits);
    let frames = backtrace::frames(error);
    let trap = error.downcast_ref::<Trap>();
    let aborted = trap == Some(&Trap::UnreachableCodeReached);
    // What it was refused is why it trapped, unless it trapped for another reason.
    let refused = guest.limiter.refused().filter(|_| aborted || trap.is_none());
    let bounds = Bounds::from(limits);
    let failure = if error.is::<DeadlineExceeded>() {
        let timeout = limits.timeout().unwrap_or(Duration::MAX);
        let message = format!("`{function}` ran longer than its timeout of {timeout:?}");
        Failure::new(FailureKind::Deadline, message)
    } else if error.is::<Interrupted>() {
        deadline::interrupted()
    } else if error.is::<Misfit>() {
        let name = &manifest.component.name;
        let message = format!("component {name} has a `call` of another type than hype's");
        let mut failure = Failure::new(FailureKind::Incompatible, message);
        failure.causes = error.chain().skip(1).map(ToString::to_string).collect();
        failure
    } else if let (true, Some(panic)) = (aborted, guest.panic) {
        let mut failure = Failure::new(FailureKind::Panic, panic.message);
        failure.location = Some(panic.location);
        failure
    } else if trap == Some(&Trap::StackOverflow) || is_below_memory(error) {
        let message = format!("`{function}` called too deep for its stack");
        let mut failure = Failure::new(FailureKind::Stack, message);
        failure.causes = causes(error);
        failure
    } else if let Some(what) = too_many(error) {
        let mut failure = Failure::new(
            FailureKind::Resources,
            format!("`{function}` had more {what} than a closure may have"),
        );
        failure.causes = causes(error);
        failure
    } else if is_too_much_at_once(error) {
        // Nothing of the guest is on the stack any more when its value is taken.
        if frames.is_empty() {
            too_large(function, &bounds)
        } else {
            let limit = size(bounds.handed() as u64);
            let message = format!("`{function}` handed more than {limit} to the host at once");
            Failure::new(FailureKind::Resources, message)
        }
    } else if error.is::<I32Exit>() {
        // Which status is lost: WASI only knows good and bad ones.
        let message = format!("`{function}` called `exit` instead of returning");
        Failure::new(FailureKind::Trap, message)
    } else if let Some(refused) = refused {
        match refused {
            Refused::Memory => {
                Failure::new(FailureKind::Memory, too_little_memory(function, limits))
            }
            Refused::TableElements => Failure::new(
                FailureKind::Resources,
                format!("`{function}` needed larger tables than a closure may have"),
            ),
        }
    } else {
        let mut failure = Failure::new(FailureKind::Trap, format!("`{function}` trapped"));
        failure.causes = causes(error);
        failure
    };
    failure.with_backtrace(frames)
}

/// What there were too many of, where that is why the guest was stopped.
fn too_many(error: &wasmtime::Error) -> Option<&'static str> {
    let is_full = error
        .downcast_ref::<ResourceTableError>()
        .is_some_and(|error| matches!(error, ResourceTableError::Full));
    // wasmtime has no types for these.
    let said = |words: &str| causes(error).iter().any(|cause| cause.contains(words));
    if let Some(too_many) = error.downcast_ref::<TooMany>() {
        return Some(match too_many {
            TooMany::OpenFiles => "open files",
            TooMany::Listings => "directories being listed",
        });
    }
    if is_full || said("store handle limit exceeded") {
        Some("handles")
    } else if said("resource limit exceeded: ") {
        Some("parts")
    } else {
        None
    }
}

/// Whether the guest reached for an address a little below zero.
///
/// Compilers keep what has an address on a stack of their own, at the beginning of memory and towards
/// zero. A function that calls too deep, or puts too much there, reaches its end mostly before that of
/// the machine's.
fn is_below_memory(error: &wasmtime::Error) -> bool {
    const ZERO: u64 = 1 << 32;
    const LITTLE: u64 = 16 << 20;
    causes(error)
        .iter()
        .filter_map(|cause| cause.strip_prefix("memory fault at wasm address 0x"))
        .filter_map(|cause| u64::from_str_radix(cause.split(' ').next()?, 16).ok())
        .any(|address| (ZERO - LITTLE..ZERO + LITTLE).contains(&address))
}

/// Whether the guest handed more to the host at once than it may.
fn is_too_much_at_once(error: &wasmtime::Error) -> bool {
    causes(error).iter().any(|cause| cause.contains("fuel allocated for hostcalls"))
}

/// The chain of `error` but for its outermost link where that is the backtrace, as text.
fn causes(error: &wasmtime::Error) -> Vec<String> {
    let backtrace = usize::from(error.is::<wasmtime::WasmBacktrace>());
    error.chain().skip(backtrace).map(ToString::to_string).collect()
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
