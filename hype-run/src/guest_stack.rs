//! The stack of a guest that a signal interrupts while it computes, in machine code without checks.
//!
//! Machine code without checks notices nothing. So a signal is sent to its thread. If it arrives while the guest computes,
//! its handler makes the thread continue in another function, on the same stack, in place of the guest. At that point no
//! lock of this process is held by the thread, since the guest holds none. Machine code has frame pointers, which lead
//! from frame to frame. While a function sets up its frame or has already removed it, the frame pointer is its caller's,
//! and the caller's address is at the end of the stack ([`Registers::caller`]).

use std::ops::Range;
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};

use hype_wire::Frame;
use libc::{c_int, c_void, siginfo_t, ucontext_t};
use wasmtime::component::Component;

use crate::backtrace;

/// The maximum number of frames that are read.
const MAX_FRAMES: usize = 4_096;

/// The maximum number of frames that a failure has.
const MAX_REPORTED: usize = 256;

/// The registers of a guest when the signal arrived.
#[derive(Debug)]
pub(crate) struct Interrupted {
    counter: AtomicUsize,
    frame: AtomicUsize,
    /// The address at which the caller of the interrupted function continues, if that function has no frame. Zero if it
    /// has one.
    caller: AtomicUsize,
}

/// The machine code of a component in memory.
pub(crate) struct MachineText {
    component: Component,
    addresses: Range<usize>,
}

impl MachineText {
    pub(crate) fn of(component: &Component) -> Self {
        let text = component.text().as_ptr_range();
        Self { component: component.clone(), addresses: text.start.addr()..text.end.addr() }
    }

    /// Makes the thread that a signal has interrupted continue in `function`, if it is in this code. Stores its registers
    /// in `interrupted`. Returns whether it was.
    ///
    /// # Safety
    ///
    /// `context` must be the one that the kernel passed to the handler of the signal.
    pub(crate) unsafe fn divert(
        &self,
        context: *mut c_void,
        interrupted: &Interrupted,
        function: extern "C" fn() -> !,
    ) -> bool {
        // SAFETY: the kernel passes the registers of the interrupted thread.
        let registers = Registers::of(unsafe { &mut *context.cast::<ucontext_t>() });
        let counter = *registers.counter as usize;
        if !self.addresses.contains(&counter) {
            return false;
        }
        interrupted.counter.store(counter, Ordering::Relaxed);
        interrupted.frame.store(*registers.frame as usize, Ordering::Relaxed);
        // SAFETY: the thread is in machine code of the component.
        let caller = unsafe { registers.caller(self.addresses.end) };
        interrupted.caller.store(caller.unwrap_or(0), Ordering::Relaxed);
        registers.call(function);
        true
    }

    /// Returns the frames of the guest that was interrupted, the innermost first. Its stack must still exist.
    pub(crate) fn frames(&self, interrupted: &Interrupted) -> Vec<Frame> {
        let mut frames = backtrace::from_names(self.functions(interrupted));
        frames.truncate(MAX_REPORTED);
        frames
    }

    /// Returns the names of the functions on the guest's stack, the innermost first.
    fn functions(&self, interrupted: &Interrupted) -> Vec<(Option<String>, u32)> {
        let mut functions: Vec<_> = self.component.functions().collect();
        functions.sort_unstable_by_key(|function| function.offset);
        let name_at = |offset: usize| {
            let next = functions.partition_point(|function| function.offset <= offset);
            let function = &functions[next.checked_sub(1)?];
            (offset < function.offset + function.len)
                .then(|| (function.name.clone(), function.index.as_u32()))
        };
        let counters = self.counters(interrupted);
        counters.into_iter().filter_map(|counter| name_at(counter - self.addresses.start)).collect()
    }

    /// Returns the addresses in the machine code at which its functions continue, the innermost first.
    fn counters(&self, interrupted: &Interrupted) -> Vec<usize> {
        let mut counter = interrupted.counter.load(Ordering::Relaxed);
        let mut frame = interrupted.frame.load(Ordering::Relaxed);
        let mut counters = Vec::new();
        let caller = interrupted.caller.load(Ordering::Relaxed);
        if caller != 0 {
            counters.push(counter);
            counter = caller.wrapping_sub(1);
        }
        while self.addresses.contains(&counter) && counters.len() < MAX_FRAMES {
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

impl Interrupted {
    pub(crate) const fn new() -> Self {
        Self {
            counter: AtomicUsize::new(0),
            frame: AtomicUsize::new(0),
            caller: AtomicUsize::new(0),
        }
    }
}

/// The handler of a signal.
pub(crate) type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Makes `handler` handle `signal` in this process. No signal of `blocked` interrupts it.
pub(crate) fn handle_signal(signal: c_int, handler: Handler, blocked: &[c_int]) {
    // SAFETY: the handlers only read and change registers and atomic variables, and make system calls.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        for blocked in blocked {
            libc::sigaddset(&raw mut action.sa_mask, *blocked);
        }
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
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
