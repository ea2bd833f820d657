//! The end of a call that the program stops: the worker reports the guest's stack, and exits.
//!
//! Machine code without checks notices nothing. So the program sends a signal. If it arrives while the guest computes,
//! its handler makes the thread continue in [`stop`], on the same stack, in place of the guest. At that point no lock of
//! this process is held by the thread, since the guest holds none. Machine code has frame pointers, which lead from
//! frame to frame. While a function sets up its frame or has already removed it, the frame pointer is its caller's, and
//! the caller's address is at the end of the stack ([`Registers::caller`]). If the signal arrives in a call of the host,
//! the handler reports no stack, and the program kills the worker.

use std::ops::Range;
use std::slice;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use hype_wire::{Frame, codec};
use libc::{c_int, c_void, siginfo_t, ucontext_t};
use wasmtime::component::Component;

use super::batch::HeldEnds;
use super::channel::Channel;
use super::message::{FromWorkerKind, MAX_BODY, without_head};
use crate::backtrace;

/// The signal that stops a call. Its default action ends a process, too.
pub(super) const SIGNAL: c_int = libc::SIGXCPU;

/// The signal that makes a worker send the ends that it holds.
pub(super) const SEND_ENDS: c_int = libc::SIGUSR2;

/// The empty list in MessagePack.
const NO_FRAMES: &[u8] = b"\x90";

/// The maximum number of frames that are read.
const MAX_FRAMES: usize = 4_096;

static STATE: OnceLock<State> = OnceLock::new();

/// The registers of the guest when the signal arrived.
static COUNTER: AtomicUsize = AtomicUsize::new(0);
static FRAME: AtomicUsize = AtomicUsize::new(0);

/// The address at which the caller of the interrupted function continues, if that function has no frame. Zero if it has one.
static CALLER: AtomicUsize = AtomicUsize::new(0);

struct State {
    channel: Arc<Channel>,
    held: Arc<HeldEnds>,
    component: Component,
    /// The addresses of the component's machine code.
    text: Range<usize>,
}

/// Installs the handlers of [`SIGNAL`] and of [`SEND_ENDS`] in this worker of `component`, which holds ends in `held`.
pub(super) fn install(channel: &Arc<Channel>, held: &Arc<HeldEnds>, component: &Component) {
    let text = component.text().as_ptr_range();
    let text = text.start.addr()..text.end.addr();
    let (channel, held) = (Arc::clone(channel), Arc::clone(held));
    let state = State { channel, held, component: component.clone(), text };
    if STATE.set(state).is_err() {
        return;
    }
    handle_signal(SIGNAL, handle);
    handle_signal(SEND_ENDS, send_ends);
}

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

fn handle_signal(signal: c_int, handler: Handler) {
    // SAFETY: the handlers only read and change registers and atomic variables, and make system calls.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        // A handler that interrupts the other one would find the ends locked, and report a stack without the ends before it.
        libc::sigaddset(&raw mut action.sa_mask, SIGNAL);
        libc::sigaddset(&raw mut action.sa_mask, SEND_ENDS);
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

extern "C" fn send_ends(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    if let Some(State { channel, held, .. }) = STATE.get() {
        held.send_in_handler(channel);
    }
}

extern "C" fn handle(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    let Some(state) = STATE.get() else { return };
    // SAFETY: the kernel passes the registers of the interrupted thread.
    let registers = Registers::of(unsafe { &mut *context.cast::<ucontext_t>() });
    if state.text.contains(&(*registers.counter as usize)) {
        COUNTER.store(*registers.counter as usize, Ordering::Relaxed);
        FRAME.store(*registers.frame as usize, Ordering::Relaxed);
        // SAFETY: the thread is in machine code of the component.
        CALLER.store(unsafe { registers.caller(state.text.end) }.unwrap_or(0), Ordering::Relaxed);
        registers.call(stop);
    } else {
        // This makes one system call and allocates nothing, so that the interrupted host doesn't notice it.
        state.report(NO_FRAMES);
    }
}

/// Reports the stack of the guest, and ends this process.
extern "C" fn stop() -> ! {
    if let Some(state) = STATE.get() {
        let frames = backtrace::from_names(state.functions());
        let frames: Vec<Frame> = frames.into_iter().take(256).collect();
        let body = codec::to_vec(&frames).unwrap_or_default();
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

    /// Returns the names of the functions on the guest's stack, the innermost first.
    fn functions(&self) -> Vec<(Option<String>, u32)> {
        let mut functions: Vec<_> = self.component.functions().collect();
        functions.sort_unstable_by_key(|function| function.offset);
        let name_at = |offset: usize| {
            let next = functions.partition_point(|function| function.offset <= offset);
            let function = &functions[next.checked_sub(1)?];
            (offset < function.offset + function.len)
                .then(|| (function.name.clone(), function.index.as_u32()))
        };
        let counters = self.counters();
        counters.into_iter().filter_map(|counter| name_at(counter - self.text.start)).collect()
    }

    /// Returns the addresses in the machine code at which its functions continue, the innermost first.
    fn counters(&self) -> Vec<usize> {
        let mut counter = COUNTER.load(Ordering::Relaxed);
        let mut frame = FRAME.load(Ordering::Relaxed);
        let mut counters = Vec::new();
        let caller = CALLER.load(Ordering::Relaxed);
        if caller != 0 {
            counters.push(counter);
            counter = caller.wrapping_sub(1);
        }
        while self.text.contains(&counter) && counters.len() < MAX_FRAMES {
            counters.push(counter);
            // SAFETY: a frame of machine code begins with the address of its caller's frame, followed by the address at
            // which the caller continues.
            unsafe {
                let next = frame as *const usize;
                // A call is before the address at which its caller continues.
                counter = next.add(1).read().wrapping_sub(1);
                frame = next.read();
            }
        }
        counters
    }
}

/// The registers of an interrupted thread that a stack is read with.
struct Registers<'a> {
    counter: &'a mut Word,
    frame: &'a mut Word,
    stack: &'a mut Word,
    /// The register that a call writes its return address to, on processors whose calls do not push it.
    link: Word,
}

#[cfg(target_arch = "x86_64")]
type Word = libc::greg_t;
#[cfg(not(target_arch = "x86_64"))]
type Word = libc::c_ulonglong;

impl<'a> Registers<'a> {
    #[cfg(target_arch = "x86_64")]
    fn of(context: &'a mut ucontext_t) -> Self {
        let all = &mut context.uc_mcontext.gregs;
        let [frame, stack, counter] =
            [libc::REG_RBP, libc::REG_RSP, libc::REG_RIP].map(|register| register as usize);
        // The three registers are different ones.
        match all.get_disjoint_mut([frame, stack, counter]) {
            Ok([frame, stack, counter]) => Self { counter, frame, stack, link: 0 },
            Err(_) => unreachable!("the numbers of registers are constants"),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn of(context: &'a mut ucontext_t) -> Self {
        let libc::mcontext_t { regs, sp, pc, .. } = &mut context.uc_mcontext;
        let link = regs[30];
        Self { counter: pc, frame: &mut regs[29], stack: sp, link }
    }

    /// Returns the address at which the caller of the interrupted function continues, if that function has no frame.
    ///
    /// # Safety
    ///
    /// The thread is in machine code that Cranelift made, which ends at `end`.
    unsafe fn caller(&self, end: usize) -> Option<usize> {
        let counter = *self.counter as usize;
        // SAFETY: these bytes are in the machine code.
        let code = unsafe { slice::from_raw_parts(counter as *const u8, (end - counter).min(4)) };
        match ReturnAddress::before(code)? {
            ReturnAddress::Link => Some(self.link as usize),
            // SAFETY: the function or its caller has put the address there.
            ReturnAddress::Stack(words) => unsafe {
                Some((*self.stack as usize as *const usize).add(words).read())
            },
        }
    }

    /// Makes the thread continue at the beginning of `function`, below the present end of its stack.
    fn call(self, function: extern "C" fn() -> !) {
        /// The bytes below the end of the stack that a function may use.
        const RED_ZONE: Word = 128;
        *self.stack = (*self.stack - RED_ZONE) & !15;
        if cfg!(target_arch = "x86_64") {
            // A call pushes the address at which its caller continues.
            *self.stack -= 8;
        }
        *self.counter = function as usize as Word;
    }
}

/// The place of the return address of a function that has no frame at present.
#[derive(Debug, PartialEq)]
enum ReturnAddress {
    /// The register that calls write it to.
    #[cfg_attr(target_arch = "x86_64", expect(dead_code, reason = "calls push the address"))]
    Link,
    /// This many words above the end of the stack.
    Stack(usize),
}

impl ReturnAddress {
    /// Returns the place before the first instruction of `code` runs, unless the function has a frame then. Cranelift
    /// writes these instructions nowhere but at the beginning and the end of functions.
    #[cfg(target_arch = "x86_64")]
    fn before(code: &[u8]) -> Option<Self> {
        match code {
            // push rbp
            [0x55, ..] => Some(Self::Stack(0)),
            // mov rbp, rsp
            [0x48, 0x89, 0xe5, ..] => Some(Self::Stack(1)),
            // ret, also one that removes arguments from the stack
            [0xc3 | 0xc2, ..] => Some(Self::Stack(0)),
            _ => None,
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn before(code: &[u8]) -> Option<Self> {
        match code {
            // stp x29, x30, [sp, #-16]!
            [0xfd, 0x7b, 0xbf, 0xa9] => Some(Self::Link),
            // mov x29, sp
            [0xfd, 0x03, 0x00, 0x91] => Some(Self::Stack(1)),
            // ret
            [0xc0, 0x03, 0x5f, 0xd6] => Some(Self::Link),
            _ => None,
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn before(_: &[u8]) -> Option<Self> {
        None
    }
}
