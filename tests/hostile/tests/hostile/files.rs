//! Attacks on files, by a guest written in Rust.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(unix)]

mod escapes;
#[cfg(target_os = "linux")]
mod shared;
mod special;
mod tmp;

use std::sync::OnceLock;

use conformance::cases::values::component;
use hostile::Staged;
use hostile::attack::runtime;
use hype_run::Executor;
use hype_wire::{End, Failure, FunctionRef, Payload, RunManifest, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Calls a function of the test guests, with the manifest that `change` changed.
fn call<T: DeserializeOwned>(
    function: &str,
    arguments: impl Serialize,
    change: impl FnOnce(&mut RunManifest),
) -> Result<T, Failure> {
    let guests = guests();
    let outcome = runtime().block_on(async {
        let mut staged = Staged::new(guests).await;
        staged.manifest.call.function = FunctionRef::Closure(function.to_owned());
        staged.manifest.call.arguments = Payload::Inline(codec::to_vec(&arguments).unwrap().into());
        change(&mut staged.manifest);
        staged.run(executor()).await
    });
    match outcome.end {
        End::Value(Payload::Inline(bytes)) => Ok(codec::from_slice(&bytes).unwrap()),
        End::Value(value) => panic!("{value:?}"),
        End::Failure(failure) => Err(failure),
    }
}

/// Returns an executor for the test guests only. Attacks with a timeout use another one, so that they don't wait while
/// this one compiles.
fn executor() -> &'static Executor {
    static EXECUTOR: OnceLock<Executor> = OnceLock::new();
    EXECUTOR.get_or_init(Executor::new)
}

/// Returns the component of the test guests, which the executor has compiled.
fn guests() -> &'static [u8] {
    static GUESTS: OnceLock<Vec<u8>> = OnceLock::new();
    GUESTS.get_or_init(|| {
        conformance::build_guests();
        let guests = std::fs::read(component("test-guests")).unwrap();
        let warm_up = runtime().block_on(async {
            let mut staged = Staged::new(&guests).await;
            staged.manifest.call.function = FunctionRef::Closure("nothing".to_owned());
            staged.run(executor()).await
        });
        assert!(matches!(warm_up.end, End::Value(_)), "{:?}", warm_up.end);
        guests
    })
}
