//! The items of a map, one after the other, by one prepared job.

use std::ops::Deref;
use std::sync::Arc;

use hype_wire::items::{AssignedItem, AttemptEnd, ItemChunk, ItemMessage};
use hype_wire::{Bytes, Statistics};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::deadline;
use crate::execution::Execution;
use crate::executor::Executor;
use crate::output::{GuestOutput, Stream};
use crate::prepared::{ItemCall, Prepared};
use crate::run::RunRequest;

/// Prepares the job of the manifest in `request`, and runs the items of `chunks` one after the other until there are none
/// or the request is interrupted. Passes what it has to report to `send`.
///
/// An item that is interrupted ends with a failure of the kind `interrupted`.
///
/// # Examples
///
/// ```no_run
/// use hype_run::{Executor, RunRequest, run_items};
///
/// # async fn example(request: RunRequest) {
/// let (_sender, chunks) = tokio::sync::mpsc::unbounded_channel();
/// run_items(&Executor::pooled(1), &request, chunks, |message| println!("{message:?}")).await;
/// # }
/// ```
pub async fn run_items(
    executor: &Executor,
    request: &RunRequest,
    mut chunks: UnboundedReceiver<ItemChunk>,
    send: impl Fn(ItemMessage) + Send + Sync + 'static,
) {
    let (interrupt, send) = (&request.interrupt, Arc::new(send));
    let prepared = Prepared::fetch(executor, request);
    let prepared = match deadline::unless_interrupted(interrupt, prepared).await {
        Ok((prepared, _)) => prepared,
        Err(failure) => return send(ItemMessage::Unprepared(failure)),
    };
    send(ItemMessage::Ready);
    while let Some(Some(chunk)) = interrupt.run_until_cancelled(chunks.recv()).await {
        for item in chunk.items {
            send(run_item(&prepared, item, Arc::clone(&send)).await);
            if interrupt.is_cancelled() {
                return;
            }
        }
    }
}

async fn run_item<E: Deref<Target = Executor>>(
    prepared: &Prepared<E>,
    item: AssignedItem,
    send: Arc<impl Fn(ItemMessage) + Send + Sync + 'static>,
) -> ItemMessage {
    let output = GuestOutput::new(move |stream, bytes| {
        let is_error = matches!(stream, Stream::Stderr);
        send(ItemMessage::Output { is_error, bytes: Bytes(bytes.to_vec()) });
    });
    let AssignedItem { index, function, arguments, seed, memory } = item;
    let call = ItemCall { function: &function, arguments: arguments.0.into(), seed, memory };
    let execution = prepared.call_item(call, &output).await;
    let Execution { value, start_us, run_us, cpu_us, peak_memory, .. } = execution;
    let end = match value {
        Ok(value) => AttemptEnd::Value(value.into()),
        Err(failure) => AttemptEnd::Failure(failure),
    };
    let statistics = Statistics { start_us, run_us, cpu_us, peak_memory, ..Statistics::default() };
    ItemMessage::Ended { index, end, statistics }
}
