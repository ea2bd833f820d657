//! A batch: short calls of one job, which a worker makes one after the other.
//!
//! A call of a few microseconds costs less than the messages and the changes of processes that it needs on its own. The
//! calls of a batch travel in one message, and so do their ends, which the worker holds meanwhile ([`HeldEnds`]). It sends
//! them before output of a guest, when it is asked to, and when a batch takes long: then it returns the other calls, so
//! that none waits behind a long one for longer than that one takes.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hype_wire::FunctionRef;
use hype_wire::worker::append_end;
use serde::{Deserialize, Serialize};

use super::channel::Channel;
use super::message::{CallEnd, FromWorkerKind, MAX_BODY, ToWorkerKind, begin, without_head};
use crate::prepared::ItemCall;

/// The maximum number of calls in a batch.
const MAX_CALLS: usize = 64;

/// The time after which a worker returns the calls of a batch that it has not begun.
pub(super) const MAX_TIME: Duration = Duration::from_millis(5);

/// The head of a batch. The arguments of its calls follow each other in the body.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BatchHead {
    pub(super) run_id: String,
    pub(super) attempt: u32,
    pub(super) calls: Vec<BatchCall>,
}

/// One call of a batch.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BatchCall {
    pub(super) function: FunctionRef,
    pub(super) seed: Option<u64>,
    /// The size of the arguments, in bytes.
    pub(super) size: u32,
}

/// The message that begins a batch.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
    calls: usize,
}

impl Batch {
    /// Creates a batch of the first of `calls`, as many as fit into one. Returns `None` if that is one call at most, or one
    /// that is no item of a batch.
    pub(super) fn of_first(run_id: &str, attempt: u32, calls: &[ItemCall<'_>]) -> Option<Self> {
        let mut body = Vec::new();
        let fits = |call: &&ItemCall<'_>| {
            let is_program = matches!(call.function, FunctionRef::Program(_));
            let has_room = body.len() + call.arguments.len() <= MAX_BODY;
            let fits = has_room && call.memory.is_none() && !is_program;
            if fits {
                body.extend_from_slice(&call.arguments);
            }
            fits
        };
        let calls: Vec<_> =
            calls.iter().take(MAX_CALLS).take_while(fits).map(BatchCall::of).collect();
        let number = calls.len();
        let head = BatchHead { run_id: run_id.to_owned(), attempt, calls };
        let head = begin(ToWorkerKind::Batch as u8, &head).ok().filter(|_| number > 1)?;
        Some(Self { head, body, calls: number })
    }

    /// Returns the number of calls.
    pub(crate) fn calls(&self) -> usize {
        self.calls
    }
}

impl BatchCall {
    fn of(call: &ItemCall<'_>) -> Self {
        let size = call.arguments.len() as u32;
        Self { function: call.function.clone(), seed: call.seed, size }
    }
}

/// The ends of calls that a worker has made, but not sent.
#[derive(Debug, Default)]
pub(super) struct HeldEnds(Mutex<Vec<u8>>);

impl HeldEnds {
    /// Adds an end. Returns false if there is no room for it.
    pub(super) fn hold(&self, end: &CallEnd, value: &[u8]) -> io::Result<bool> {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = ends.len();
        // A large value is not copied.
        if before + value.len() > MAX_BODY {
            return Ok(false);
        }
        append_end(&mut ends, end, value).map_err(io::Error::other)?;
        let has_room = ends.len() <= MAX_BODY;
        if !has_room {
            ends.truncate(before);
        }
        Ok(has_room)
    }

    /// Sends the ends in a message of `kind`, unless there are none and it would say nothing.
    pub(super) fn send(&self, channel: &Channel, kind: FromWorkerKind) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        send(&mut bytes, channel, kind)
    }

    /// Sends the ends, unless this thread is adding one. A handler of a signal may call this, since it allocates nothing.
    pub(super) fn send_in_handler(&self, channel: &Channel) {
        if let Ok(mut bytes) = self.0.try_lock() {
            // The error means that the program has closed the channel.
            let _ = send(&mut bytes, channel, FromWorkerKind::Ends);
        }
    }
}

fn send(bytes: &mut Vec<u8>, channel: &Channel, kind: FromWorkerKind) -> io::Result<()> {
    if bytes.is_empty() && kind == FromWorkerKind::Ends {
        return Ok(());
    }
    let sent = channel.send([&without_head(kind as u8), bytes], &[]);
    bytes.clear();
    sent
}

#[cfg(test)]
mod tests {
    use hype_wire::worker::FromWorker;

    use super::*;

    fn call(function: &FunctionRef, size: usize) -> ItemCall<'_> {
        ItemCall { function, arguments: vec![0; size].into(), seed: None, memory: None }
    }

    fn calls_in_batch(sizes: &[usize]) -> Option<usize> {
        let function = FunctionRef::Closure("f".to_owned());
        let calls: Vec<_> = sizes.iter().map(|size| call(&function, *size)).collect();
        Batch::of_first("run-1", 1, &calls).map(|batch| batch.calls())
    }

    #[test]
    fn batch_has_the_first_calls_that_fit() {
        assert_eq!(calls_in_batch(&[1; 100]), Some(MAX_CALLS));
        assert_eq!(calls_in_batch(&[MAX_BODY - 5, 5, 1]), Some(2));
        assert_eq!(calls_in_batch(&[MAX_BODY + 1, 5]), None);
        assert_eq!(calls_in_batch(&[5, MAX_BODY]), None);
        assert_eq!(calls_in_batch(&[5]), None);
        assert_eq!(calls_in_batch(&[]), None);
    }

    #[test]
    fn batch_has_no_program_and_no_call_with_its_own_memory() {
        let closure = FunctionRef::Closure("f".to_owned());
        let program = FunctionRef::Program("p".to_owned());
        let own_memory = || ItemCall { memory: Some(1), ..call(&closure, 1) };
        for other in [own_memory(), call(&program, 1)] {
            let calls = [call(&closure, 1), call(&closure, 1), other];
            assert_eq!(Batch::of_first("run-1", 1, &calls).unwrap().calls(), 2);
            assert!(Batch::of_first("run-1", 1, &calls[1..]).is_none());
        }
    }

    #[test]
    fn held_ends_are_sent_once() {
        let (ours, theirs) = Channel::pair().unwrap();
        let held = HeldEnds::default();
        let end = CallEnd { is_failure: false, start_us: 1, run_us: 2, cpu_us: 3, peak_memory: 4 };
        assert!(held.hold(&end, b"five").unwrap());
        assert!(!held.hold(&end, &vec![0; MAX_BODY]).unwrap());
        assert!(held.hold(&end, b"").unwrap());
        held.send(&theirs, FromWorkerKind::Ends).unwrap();
        // Nothing is left to send.
        held.send(&theirs, FromWorkerKind::Ends).unwrap();
        held.send(&theirs, FromWorkerKind::Returned).unwrap();
        let mut buffer = [0; 512];
        let mut received = || {
            let length = ours.receive(&mut buffer).unwrap().unwrap().length;
            format!("{:?}", FromWorker::parse(&buffer[..length]).unwrap())
        };
        let ends = FromWorker::Ends(vec![(end, b"five"), (end, b"")]);
        assert_eq!(received(), format!("{ends:?}"));
        assert_eq!(received(), format!("{:?}", FromWorker::Returned(Vec::new())));
    }
}
