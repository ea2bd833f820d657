//! Batches: calls that travel in one message to a worker, whose ends are those of calls that travel alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use hostile::Staged;
use hostile::attack::runtime;
use hype_run::{Executor, GuestOutput, ItemCall, Prepared, RunRequest};
use hype_wire::{FailureKind, FunctionRef, codec};
use tokio::sync::mpsc;

use crate::workers::workers;

/// The number that the function of the component adds one to without an end.
const ENDLESS: u32 = 7;

/// The number at which it traps.
const TRAPS: u32 = 9;

fn component() -> Vec<u8> {
    let text = format!(
        r#"(component
            (core module $m (func $f (export "f") (param i32) (result i32)
                (if (i32.eq (local.get 0) (i32.const {ENDLESS})) (then (loop $again (br $again))))
                (if (i32.eq (local.get 0) (i32.const {TRAPS})) (then unreachable))
                (i32.add (local.get 0) (i32.const 1))))
            (core instance $i (instantiate $m))
            (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))"#
    );
    wat::parse_str(text).unwrap()
}

/// The end of a call.
#[derive(Debug)]
struct End {
    value: Result<u32, FailureKind>,
    /// The innermost function of the failure's stack.
    function: Option<String>,
    at: Instant,
}

/// Adds one to each number in workers. Sends the end of each call to `ends`.
async fn add_one(request: &RunRequest, numbers: &[u32], ends: mpsc::UnboundedSender<End>) {
    let executor: Executor = workers().await;
    let (prepared, _) = Prepared::fetch(&executor, request).await.unwrap();
    let function = FunctionRef::Export { interface: None, function: "f".into() };
    let call = |number: &u32| ItemCall {
        function: &function,
        arguments: Bytes::from(codec::to_vec(&(*number,)).unwrap()),
        seed: None,
        memory: None,
    };
    let calls: Vec<_> = numbers.iter().map(call).collect();
    let outputs: Vec<_> = numbers.iter().map(|_| GuestOutput::new(|_, _| {})).collect();
    let mut on_end = |execution: hype_run::Execution| {
        let function = execution
            .value
            .as_ref()
            .err()
            .and_then(|failure| failure.backtrace.first().map(|frame| frame.function.clone()));
        let value = execution.value.map(|value| codec::from_slice(&value).unwrap());
        let value = value.map_err(|failure| failure.kind);
        ends.send(End { value, function, at: Instant::now() }).unwrap();
    };
    prepared.call_items(&calls, &outputs, &mut on_end).await;
}

async fn request(timeout_ms: Option<u64>) -> (Staged, RunRequest) {
    let mut staged = Staged::new(&component()).await;
    staged.manifest.job.limits.timeout_ms = timeout_ms;
    let request = staged.request(true).await;
    (staged, request)
}

#[test]
fn each_call_of_a_batch_has_its_own_end() {
    runtime().block_on(async {
        let (_staged, request) = request(Some(1000)).await;
        let (sender, mut ends) = mpsc::unbounded_channel::<End>();
        let numbers: Vec<u32> = (0..200).collect();
        add_one(&request, &numbers, sender).await;
        let mut before = None;
        for number in numbers {
            let End { value, function, at } = ends.try_recv().unwrap();
            let expected = match number {
                ENDLESS => Err(FailureKind::Deadline),
                TRAPS => Err(FailureKind::Trap),
                _ => Ok(number + 1),
            };
            assert_eq!(value, expected, "{number}");
            if number == ENDLESS {
                assert_eq!(function.as_deref(), Some("f"));
                // Ends don't wait for that of a long call.
                let waited = at - before.unwrap();
                assert!(waited > Duration::from_millis(500), "{waited:?}");
            }
            before = Some(at);
        }
        assert!(ends.try_recv().is_err());
    });
}

#[test]
fn cancelled_batch_ends_all_of_its_calls() {
    runtime().block_on(async {
        let (_staged, request) = request(None).await;
        let (sender, mut ends) = mpsc::unbounded_channel::<End>();
        let (mut values, interrupt) = (Vec::new(), request.interrupt.clone());
        let read = async {
            while let Some(end) = ends.recv().await {
                values.push(end.value);
                // The first two ends arrive although the third call has none.
                if values.len() == 2 {
                    interrupt.cancel();
                }
            }
        };
        tokio::join!(add_one(&request, &[1, 2, ENDLESS, 3], sender), read);
        let interrupted = Err(FailureKind::Interrupted);
        assert_eq!(values, [Ok(2), Ok(3), interrupted, interrupted]);
    });
}
