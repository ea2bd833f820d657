//! The calls that wait. With a simulated clock they advance that clock instead.

use std::collections::HashSet;
use std::time::Duration;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::clocks::WasiClocksView;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::io::poll::{Host, HostPollable};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use super::clock::{Clock, TimerState};
use crate::execution::Guest;

/// Replaces wasmtime's calls in `linker`.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut clock = linker.instance("wasi:clocks/monotonic-clock@0.2.12")?;
    clock.func_wrap(
        "subscribe-instant",
        |mut store: StoreContextMut<'_, Guest>, (at,): (u64,)| {
            let guest = store.data_mut();
            match guest.sandbox.clock.clone() {
                Some(clock) => Ok((guest.timer(clock, at)?,)),
                None => Ok((monotonic_clock::Host::subscribe_instant(&mut guest.clocks(), at)?,)),
            }
        },
    )?;
    clock.func_wrap("subscribe-duration", |mut store: StoreContextMut<'_, Guest>, (time,)| {
        let guest = store.data_mut();
        match guest.sandbox.clock.clone() {
            Some(clock) => {
                let at = clock.read().saturating_add(time);
                Ok((guest.timer(clock, at)?,))
            }
            None => Ok((monotonic_clock::Host::subscribe_duration(&mut guest.clocks(), time)?,)),
        }
    })?;
    let mut poll = linker.instance("wasi:io/poll@0.2.12")?;
    poll.func_wrap_async(
        "poll",
        |mut store: StoreContextMut<'_, Guest>, (all,): (Vec<Resource<DynPollable>>,)| {
            Box::new(async move {
                let guest = store.data_mut();
                if let Some(clock) = &guest.sandbox.clock {
                    let different: HashSet<u32> = all.iter().map(Resource::rep).collect();
                    clock.start_wait(different.len());
                }
                Ok((Host::poll(guest.ctx().table, all).await?,))
            })
        },
    )?;
    poll.func_wrap_async(
        "[method]pollable.block",
        |mut store: StoreContextMut<'_, Guest>, (one,): (Resource<DynPollable>,)| {
            Box::new(async move {
                let guest = store.data_mut();
                if let Some(clock) = &guest.sandbox.clock {
                    clock.start_wait(1);
                }
                HostPollable::block(guest.ctx().table, one).await
            })
        },
    )
}

impl Guest {
    fn timer(&mut self, clock: Clock, at: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let table = self.ctx().table;
        let timer = table.push(Timer { clock, at, has_yielded: false })?;
        subscribe(table, timer)
    }
}

/// A pollable that becomes ready at a time of a simulated clock.
struct Timer {
    clock: Clock,
    /// The end of the timer, in nanoseconds.
    at: u64,
    has_yielded: bool,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        let Self { clock, at, has_yielded } = self;
        if clock.poll_timer(*at) {
            // A guest that polls in a loop must let others run.
            if !std::mem::replace(has_yielded, true) {
                tokio::task::yield_now().await;
            }
            return;
        }
        // After this yield all pollables of the wait were polled once, so that a ready one comes first.
        tokio::task::yield_now().await;
        match clock.timer_state(*at) {
            TimerState::Ended => {}
            TimerState::Waiting => std::future::pending().await,
            TimerState::RealTime(time) => {
                sleep(time).await;
                clock.advance_to(*at);
            }
        }
    }
}

/// Sleeps for `time`, or forever if that is beyond the range of the clock.
async fn sleep(time: Duration) {
    match tokio::time::Instant::now().checked_add(time) {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
