//! Deterministic execution: all runs of a job with a seed behave the same.
//!
//! Random numbers derive from the seed. Both clocks are a simulated clock: it starts at a fixed time,
//! advances by a microsecond at each reading, and jumps to the end of each wait. With a frozen clock, a
//! loop that polls until a time would never end. Files have neither timestamps nor identities.
//!
//! Two things still differ between runs: the variable `HYPE_EXECUTION_ID`, and the order in which the file
//! system lists a directory.
//!
//! - `clock`: the simulated clock.
//! - `random`: the random numbers.
//! - `waiting`: the calls that wait.
//! - `files`: the calls that return timestamps and identities of files.

mod clock;
mod files;
mod random;
mod waiting;

use wasmtime::component::Linker;
use wasmtime_wasi::WasiCtxBuilder;

pub(crate) use clock::Clock;

use crate::execution::Guest;

/// Replaces wasmtime's calls in `linker`. They behave the same for guests without a seed.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    waiting::link(linker)?;
    files::link(linker)
}

/// Sets the random numbers and the clocks of `wasi` for `seed`. Returns the simulated clock.
pub(crate) fn apply(wasi: &mut WasiCtxBuilder, seed: u64) -> Clock {
    let clock = Clock::default();
    wasi.wall_clock(clock.clone()).monotonic_clock(clock.clone());
    random::apply(wasi, seed);
    clock
}
