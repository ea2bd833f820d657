//! Whole programs: their input, and all of their output.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hype_wire::{Failure, FailureKind, Limits, ProgramArguments, ProgramOutput, codec};
use tokio_util::sync::CancellationToken;
use wasmtime::component::{Func, TypedFunc};
use wasmtime::{AsContextMut, Store};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;

use crate::budget::Budget;
use crate::execution::{CallContext, Execution};
use crate::failure;
use crate::limits::Bounds;
use crate::output::Stream;

/// The interface that a program exports. A component with any version `0.2.x` of it matches.
pub(crate) const INTERFACE: &str = "wasi:cli/run@0.2.0";

/// The function of the interface.
pub(crate) const FUNCTION: &str = "run";

/// The number of copies of each argument that the host holds: its own, and that of WASI.
const COPIES: u64 = 2;

/// The size of the copies of an empty argument, in bytes.
const ARGUMENT_SIZE: u64 = COPIES * size_of::<String>() as u64;

/// The input of the program `name`.
pub(crate) struct Input {
    name: String,
    /// Charged to the budget until the end of the guest.
    args: Vec<String>,
    /// The standard input, a part of the call's arguments, which is charged to the budget of the guest.
    stdin: Bytes,
}

impl Input {
    /// Decodes the arguments of a call of the program `name`, and charges them and its standard input to `budget`.
    ///
    /// # Errors
    ///
    /// A failure of the kind `memory` if the input doesn't fit into the budget.
    pub(crate) fn decode(
        name: &str,
        arguments: &Bytes,
        budget: &Budget,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let too_large = || failure::input_too_large(name, limits);
        let incompatible = |error| Failure::from_error(FailureKind::Incompatible, &error);
        // Checked before the input is copied. A list of short arguments grows when it is decoded.
        let (_, list) = codec::split_array_head(arguments).map_err(incompatible)?;
        let (count, _) = codec::split_array_head(list).map_err(incompatible)?;
        if !budget.fits(u64::from(count) * ARGUMENT_SIZE + arguments.len() as u64) {
            return Err(too_large());
        }
        let (args, stdin) = ProgramArguments::split(arguments).map_err(incompatible)?;
        let text: u64 = args.iter().map(|argument| argument.len() as u64).sum();
        let args_size = (COPIES * text).saturating_add(ARGUMENT_SIZE * args.len() as u64);
        budget.add(args_size).map_err(|_| too_large())?;
        let stdin = budget.charge_bytes(arguments.slice_ref(stdin)).map_err(|_| too_large())?;
        Ok(Self { name: name.to_owned(), args, stdin })
    }

    /// Passes the input to the guest.
    pub(crate) fn apply(self, wasi: &mut WasiCtxBuilder) {
        let Self { name, args, stdin } = self;
        wasi.arg(name);
        wasi.args(&args);
        wasi.stdin(MemoryInputPipe::new(stdin));
    }
}

/// Runs a program to its end. Returns nil if it exits with 0, and its failure after another status.
///
/// # Errors
///
/// The error that ended the guest before it exited.
pub(crate) async fn run<T: Send + 'static>(
    store: &mut Store<T>,
    function: Func,
    name: &str,
) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
    let function: TypedFunc<(), (Result<(), ()>,)> = function.typed(store.as_context_mut())?;
    let status = match function.call_async(store, ()).await {
        Ok((result,)) => u8::from(result.is_err()),
        Err(error) => match error.downcast_ref() {
            // Like the system, keeps the lowest byte.
            Some(I32Exit(status)) => *status as u8,
            None => return Err(error),
        },
    };
    Ok(match status {
        0 => Ok(vec![NIL]),
        status => Err(Failure::of_exit(name, status)),
    })
}

/// The MessagePack of no value.
const NIL: u8 = 0xc0;

/// Makes the call of a program, and adds all of its output to the end of the call. Interrupts a call with too much output.
pub(crate) async fn collect_output(
    context: CallContext<'_>,
    call: impl AsyncFnOnce(CallContext<'_>) -> Execution,
) -> Execution {
    let bounds = Bounds::from(&context.job.limits);
    let interrupt = context.interrupt.child_token();
    let collected = Arc::new(CollectedOutput::new(bounds.value, interrupt.clone()));
    let output = context.output.collecting(Arc::clone(&collected));
    let name = context.function.plain_name();
    // The call isn't dropped: its guest may change files until it has ended.
    let execution = call(CallContext { output: &output, interrupt: &interrupt, ..context }).await;
    let status = match &execution.value {
        Ok(_) => Some(0),
        Err(failure) => failure.exit_status,
    };
    let encoded = match collected.take(status).map(|output| codec::to_vec(&output)) {
        Some(Ok(encoded)) => encoded,
        Some(Err(error)) => {
            let failure = Failure::from_error(FailureKind::Result, &error);
            return Execution { value: Err(failure), ..execution };
        }
        None => {
            let failure = failure::output_too_large(name, &bounds);
            return Execution { value: Err(failure), ..execution };
        }
    };
    match execution.value {
        Ok(_) => Execution { value: Ok(encoded), ..execution },
        Err(_) => Execution { output: Some(encoded), ..execution },
    }
}

/// All output of a program, up to a limit.
#[derive(Debug)]
pub(crate) struct CollectedOutput {
    streams: Mutex<Option<[Vec<u8>; 2]>>,
    /// The maximum size of both streams together, in bytes.
    max_size: u64,
    /// Cancelled when the program has written more. The output is then dropped.
    interrupt: CancellationToken,
}

impl CollectedOutput {
    fn new(max_size: u64, interrupt: CancellationToken) -> Self {
        let streams = Mutex::new(Some([Vec::new(), Vec::new()]));
        Self { streams, max_size, interrupt }
    }

    /// Appends `bytes` to `stream`.
    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(both) = &mut *streams else { return };
        let size = both.iter().map(Vec::len).sum::<usize>() + bytes.len();
        if size as u64 > self.max_size {
            *streams = None;
            self.interrupt.cancel();
        } else {
            both[stream as usize].extend_from_slice(bytes);
        }
    }

    /// Takes the output of a program that exited with `status`, unless it was too large.
    fn take(&self, status: Option<u8>) -> Option<ProgramOutput> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let [stdout, stderr] = streams.take()?;
        Some(ProgramOutput { status, stdout, stderr })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hype_wire::{Blob, ComponentRef, FunctionRef, Job};

    use super::*;
    use crate::deadline;
    use crate::execution::Remote;
    use crate::layout::Layout;
    use crate::output::GuestOutput;
    use crate::run::RunRequest;
    use crate::variables::Variables;

    #[test]
    fn standard_input_is_charged_to_the_budget() {
        let arguments = ProgramArguments { args: vec![], stdin: vec![1; 40].into() };
        let arguments = Bytes::from(arguments.to_message_pack().unwrap());
        let decode = |budget: &Budget| Input::decode("cat", &arguments, budget, &Limits::default());
        let failure = decode(&Budget::new(30)).err().unwrap();
        assert_eq!(failure.kind, FailureKind::Memory, "{failure:?}");
        let budget = Budget::new(100);
        let input = decode(&budget).unwrap();
        assert!(budget.fits(60) && !budget.fits(61));
        assert!(arguments.as_ptr_range().contains(&input.stdin.as_ptr()), "it is copied");
        drop(input);
        assert!(budget.fits(100));
    }

    #[test]
    fn arguments_are_charged_to_the_budget() {
        let arguments = ProgramArguments { args: vec![String::new(); 1_000], stdin: vec![].into() };
        let arguments = Bytes::from(arguments.to_message_pack().unwrap());
        let decode = |budget: &Budget| Input::decode("cat", &arguments, budget, &Limits::default());
        let failure = decode(&Budget::new(40_000)).err().unwrap();
        assert_eq!(failure.kind, FailureKind::Memory, "{failure:?}");
        let budget = Budget::new(60_000);
        decode(&budget).unwrap();
        assert!(budget.fits(12_000) && !budget.fits(12_001));
    }

    #[tokio::test]
    async fn call_with_too_much_output_is_interrupted_and_not_dropped() {
        let mut job = Job::new(ComponentRef { name: String::new(), blob: Blob::of(b"") });
        job.limits.result = Some(5);
        let request = RunRequest {
            manifest_url: String::new(),
            digest: None,
            manifest: None,
            arguments: None,
            key: None,
            attempt: 1,
            variables: Variables::none(),
            interrupt: CancellationToken::new(),
        };
        let context = CallContext {
            job: &job,
            run_id: "run-1",
            request: &request,
            layout: &Layout::of_roots(vec![]),
            output: &GuestOutput::new(|_, _| {}),
            function: &FunctionRef::Program("cat".to_owned()),
            seed: None,
            spent: Duration::ZERO,
            interrupt: &request.interrupt,
            remote: Remote::default(),
            progress: None,
        };
        let mut has_ended = false;
        let execution = collect_output(context, async |context: CallContext<'_>| {
            context.output.write(Stream::Stdout, b"too long");
            context.interrupt.cancelled().await;
            has_ended = true;
            Execution::failed(deadline::interrupted())
        });
        let failure = execution.await.value.unwrap_err();
        assert!(has_ended && !request.interrupt.is_cancelled());
        assert_eq!(failure.kind, FailureKind::Result, "{failure:?}");
    }

    #[test]
    fn output_is_collected_up_to_its_limit() {
        let output = CollectedOutput::new(5, CancellationToken::new());
        output.write(Stream::Stdout, b"one");
        output.write(Stream::Stderr, b"er");
        assert!(!output.interrupt.is_cancelled());
        let taken = output.take(Some(3)).unwrap();
        assert_eq!(
            (taken.status, &*taken.stdout, &*taken.stderr),
            (Some(3), &b"one"[..], &b"er"[..])
        );

        let output = CollectedOutput::new(5, CancellationToken::new());
        output.write(Stream::Stdout, b"three");
        output.write(Stream::Stderr, b"s");
        assert!(output.interrupt.is_cancelled());
        output.write(Stream::Stdout, b"");
        assert_eq!(output.take(None), None);
    }
}
