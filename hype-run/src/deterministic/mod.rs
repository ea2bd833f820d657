//! A guest whose runs are all alike: where the manifest has a seed, nothing of the machine tells one run
//! from another.
//!
//! Random numbers follow from the seed. Both clocks are one that nobody's time moves: it starts at a fixed
//! moment, goes on by a microsecond whenever it is read, and jumps to where a wait ends. A clock that stood
//! still would never let a loop end that waits for a moment. Files tell no times of theirs.
//!
//! What a run is told of itself is still its own: `HYPE_EXECUTION_ID` names it. And a directory lists its
//! entries as its file system does.
//!
//! - `clock`: that clock.
//! - `random`: those numbers.
//! - `waiting`: the calls by which a guest waits.
//! - `files`: the calls by which files tell of themselves.

mod clock;
mod files;
mod random;
mod waiting;

use wasmtime::component::Linker;
use wasmtime_wasi::WasiCtxBuilder;

pub(crate) use clock::Clock;

use crate::execution::Guest;

/// Replaces the calls in `linker`, which has wasmtime's. Guests without a seed don't notice.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    waiting::link(linker)?;
    files::link(linker)
}

/// Lets all that `wasi` has of chance and time follow from `seed`, and gives the clock.
pub(crate) fn apply(wasi: &mut WasiCtxBuilder, seed: u64) -> Clock {
    let clock = Clock::default();
    wasi.wall_clock(clock.clone()).monotonic_clock(clock.clone());
    random::apply(wasi, seed);
    clock
}
