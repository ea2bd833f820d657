//! The role `items`: runs the items of a map that arrive on the standard input.

use std::io::{Read, Write};
use std::process::ExitCode;

use hype_run::{CancellationToken, Executor, run_items};
use hype_wire::items::{Frames, ItemChunk, ItemMessage, frame};
use hype_wire::launch::Invocation;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::request::{configured, print_failure, rejected, request, stop_signal};
use crate::{BoxError, print_note};

/// The maximum number of bytes that are read from the standard input at once.
const READ: usize = 64 << 10;

/// Runs the items on the standard input and returns the exit status.
pub(crate) fn main(invocation: Invocation) -> ExitCode {
    // The key shows that this is the first start. If a user restarts the container, no key arrives.
    let request = match request(&invocation) {
        Ok(request) => request,
        Err(error) => return rejected(&*error),
    };
    // One thread suffices, since a call yields at each tick, and file access has other threads. The code has checks: an
    // item that was stopped without them would keep its memory, and the next items need it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return print_failure(&error),
    };
    let executor = configured(Executor::pooled(1), &invocation);
    let chunks = read_chunks(request.interrupt.clone());
    runtime.block_on(async {
        let interrupt = request.interrupt.clone();
        tokio::spawn(async move {
            stop_signal().await;
            interrupt.cancel();
        });
        run_items(&executor, &request, chunks, send).await;
    });
    // The process exits now: the system frees its memory, and a running compilation is not awaited.
    std::mem::forget((runtime, executor));
    ExitCode::SUCCESS
}

/// Reads the chunks on the standard input in a thread of its own. At the end of the input, the submitter needs no more
/// items, and `interrupt` is cancelled.
fn read_chunks(interrupt: CancellationToken) -> UnboundedReceiver<ItemChunk> {
    // The submitter bounds the number of items that wait.
    let (sender, chunks) = unbounded_channel();
    std::thread::spawn(move || {
        let (mut input, mut frames, mut bytes) =
            (std::io::stdin().lock(), Frames::<ItemChunk>::default(), vec![0; READ]);
        let mut read = || -> Result<bool, BoxError> {
            let size = match input.read(&mut bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(true),
                read => read?,
            };
            frames.push(&bytes[..size]);
            while let Some(chunk) = frames.next_message()? {
                // The receiver is gone when the items were interrupted.
                let _ = sender.send(chunk);
            }
            Ok(size > 0)
        };
        loop {
            match read() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    print_note(&format!("hype-run: cannot read items: {error}"));
                    break;
                }
            }
        }
        interrupt.cancel();
    });
    chunks
}

/// Writes a message to the standard output.
fn send(message: ItemMessage) {
    let mut output = std::io::stdout().lock();
    let sent = frame(&message)
        .map_err(BoxError::from)
        .and_then(|frame| Ok(output.write_all(&frame).and_then(|()| output.flush())?));
    if let Err(error) = sent {
        print_note(&format!("hype-run: cannot report to the submitter: {error}"));
        std::process::exit(i32::from(hype_wire::exit_status::NO_OUTCOME));
    }
}
