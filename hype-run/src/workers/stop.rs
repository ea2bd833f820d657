//! The end of a call that the program stops: the worker reports the guest's stack, and exits.
//!
//! The program sends a signal. If it arrives while the guest computes, the thread continues in [`stop`] in place of the
//! guest ([`guest_stack`](crate::guest_stack)). If it arrives in a call of the host, the handler reports no stack, and the
//! program kills the worker.

use std::sync::{Arc, OnceLock};

use hype_wire::codec;
use libc::{c_int, c_void, siginfo_t};
use wasmtime::component::Component;

use super::batch::HeldEnds;
use super::channel::Channel;
use super::message::{FromWorkerKind, MAX_BODY, without_head};
use crate::guest_stack::{Interrupted, MachineText, handle_signal};

/// The signal that stops a call. Its default action ends a process, too.
pub(super) const SIGNAL: c_int = libc::SIGXCPU;

/// The signal that makes a worker send the ends that it holds.
pub(super) const SEND_ENDS: c_int = libc::SIGUSR2;

/// The empty list in MessagePack.
const NO_FRAMES: &[u8] = b"\x90";

static STATE: OnceLock<State> = OnceLock::new();

static INTERRUPTED: Interrupted = Interrupted::new();

struct State {
    channel: Arc<Channel>,
    held: Arc<HeldEnds>,
    text: MachineText,
}

/// Installs the handlers of [`SIGNAL`] and of [`SEND_ENDS`] in this worker of `component`, which holds ends in `held`.
pub(super) fn install(channel: &Arc<Channel>, held: &Arc<HeldEnds>, component: &Component) {
    let (channel, held) = (Arc::clone(channel), Arc::clone(held));
    let state = State { channel, held, text: MachineText::of(component) };
    if STATE.set(state).is_err() {
        return;
    }
    // A handler that interrupts the other one would find the ends locked, and report a stack without the ends before it.
    let both = [SIGNAL, SEND_ENDS];
    handle_signal(SIGNAL, handle, &both);
    handle_signal(SEND_ENDS, send_ends, &both);
}

extern "C" fn send_ends(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    if let Some(State { channel, held, .. }) = STATE.get() {
        held.send_in_handler(channel);
    }
}

extern "C" fn handle(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    let Some(state) = STATE.get() else { return };
    // SAFETY: the kernel passes the context.
    if !unsafe { state.text.divert(context, &INTERRUPTED, stop) } {
        // This makes one system call and allocates nothing, so that the interrupted host doesn't notice it.
        state.report(NO_FRAMES);
    }
}

/// Reports the stack of the guest, and ends this process.
extern "C" fn stop() -> ! {
    if let Some(state) = STATE.get() {
        let body = codec::to_vec(&state.text.frames(&INTERRUPTED)).unwrap_or_default();
        state.report(if body.len() <= MAX_BODY { &body } else { NO_FRAMES });
    }
    // SAFETY: ends this process without destructors, since the guest's state is unknown.
    unsafe { libc::_exit(0) }
}

impl State {
    /// Reports the stack in MessagePack, after the ends of earlier calls.
    fn report(&self, frames: &[u8]) {
        self.held.send_in_handler(&self.channel);
        // The error means that the program has closed the channel.
        let _ = self.channel.send([&without_head(FromWorkerKind::Stopped as u8), frames], &[]);
    }
}
