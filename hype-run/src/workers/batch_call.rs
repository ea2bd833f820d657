//! The calls of a batch in a worker, which this side treats as hostile.

use std::io;
use std::time::{Duration, Instant};

use hype_wire::worker::{CallEnd, FromWorker, Violation};
use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, MAX_TIME};
use super::call::{Lost, STOP_TIMEOUT, Worker};
use super::progress::{Value, execution, violation};
use super::stop;
use crate::deadline::until;
use crate::execution::Execution;
use crate::output::{GuestOutput, Stream};

/// The time without a message after which a worker is asked for the ends that it holds. It is asked again after twice that
/// time, and so on: it has nothing to send if it did not run until then.
const PATIENCE: Duration = Duration::from_millis(20);

/// The receiver of the ends of a batch's calls, in the order of the calls.
pub(crate) type OnEnd<'a> = dyn FnMut(Execution) + Send + 'a;

/// A batch and the bounds of its calls.
pub(super) struct BatchRequest<'a> {
    pub(super) batch: &'a Batch,
    /// One output for each call.
    pub(super) outputs: &'a [GuestOutput],
    /// The maximum size of a value, in bytes.
    pub(super) max_value: u64,
    /// The timeout of each call.
    pub(super) timeout: Option<Duration>,
    pub(super) interrupt: &'a CancellationToken,
}

/// The calls of a batch that have ended.
struct Progress<'a, 'b> {
    request: &'a BatchRequest<'a>,
    ended: usize,
    /// The parts of a large value.
    value: Value,
    on_end: &'a mut OnEnd<'b>,
}

/// The state of a batch after a message.
#[derive(PartialEq)]
enum Step {
    Continues,
    /// The worker makes no other call of the batch.
    IsOver,
}

/// The next event of a batch.
enum Event<'a> {
    Message(FromWorker<'a>),
    /// The worker has sent nothing for a while.
    Silence,
    Late,
}

impl Worker {
    /// Makes the calls of a batch until the worker returns the rest. Passes the end of each to `on_end`.
    pub(super) async fn call_batch(
        &mut self,
        request: &BatchRequest<'_>,
        on_end: &mut OnEnd<'_>,
    ) -> Result<(), Lost> {
        let Batch { head, body, .. } = request.batch;
        let value = Value::new(request.max_value);
        let mut progress = Progress { request, ended: 0, value, on_end };
        self.send_message([head, body]).await.map_err(Lost::Unstarted)?;
        let (mut begun, mut ended) = (Instant::now(), 0);
        loop {
            let heard = Instant::now();
            // The call that runs has begun after the last end arrived, or up to this time before. Its output must not put off
            // its deadline.
            if progress.ended > ended {
                (begun, ended) = (heard, progress.ended);
            }
            let deadline = request
                .timeout
                .and_then(|timeout| begun.checked_add(timeout + MAX_TIME + PATIENCE));
            let mut patience = PATIENCE;
            let step = loop {
                let silence = heard.checked_add(patience);
                let event = tokio::select! {
                    biased;
                    () = request.interrupt.cancelled() => return Err(Lost::Interrupted),
                    () = until(deadline) => Event::Late,
                    received = self.receive() => Event::Message(received.map_err(Lost::Broken)?),
                    () = until(silence) => Event::Silence,
                };
                match event {
                    Event::Message(message) => {
                        break progress.accept(message).map_err(Lost::Broken)?;
                    }
                    Event::Silence => {
                        patience *= 2;
                        self.signal_named(stop::SEND_ENDS);
                    }
                    Event::Late => return Err(self.stop_batch(&mut progress).await),
                }
            };
            if step == Step::IsOver {
                return Ok(());
            }
        }
    }

    /// Stops the call of a batch that runs, and returns its stack. If the worker doesn't report in time, or an end arrives
    /// before its report, it is unknown which call ran.
    async fn stop_batch(&mut self, progress: &mut Progress<'_, '_>) -> Lost {
        self.signal_named(stop::SIGNAL);
        let ended = progress.ended;
        let stopped = tokio::time::timeout(STOP_TIMEOUT, async {
            loop {
                let step = match self.receive().await? {
                    FromWorker::Stopped(frames) => return Ok(frames),
                    message => progress.accept(message)?,
                };
                // The call has ended at its deadline. The one behind it has hardly begun, if at all.
                if step == Step::IsOver || progress.ended > ended {
                    return Err(io::Error::other("an end arrived at the deadline of a batch"));
                }
            }
        });
        match stopped.await {
            Ok(Ok(frames)) => Lost::Deadline(frames),
            Ok(Err(error)) => Lost::Broken(error),
            Err(late) => Lost::Broken(io::Error::other(late)),
        }
    }

    fn signal_named(&self, signal: libc::c_int) {
        if let Some(signal) = Signal::from_named_raw(signal) {
            self.signal(signal);
        }
    }
}

impl Progress<'_, '_> {
    fn accept(&mut self, message: FromWorker<'_>) -> io::Result<Step> {
        match message {
            FromWorker::Stdout(bytes) => self.output()?.write(Stream::Stdout, bytes),
            FromWorker::Stderr(bytes) => self.output()?.write(Stream::Stderr, bytes),
            FromWorker::Value(size) => self.value.begin(size)?,
            FromWorker::Part(part) => self.value.append(part)?,
            FromWorker::End(end, part) => {
                self.value.append(part)?;
                let value = self.value.take();
                self.end(execution(end, value, self.request.max_value)?)?;
            }
            FromWorker::Ends(ends) => self.end_all(ends)?,
            FromWorker::Returned(ends) => {
                self.end_all(ends)?;
                // A worker makes at least one call.
                return if self.ended > 0 { Ok(Step::IsOver) } else { Err(malformed()) };
            }
            FromWorker::Ready
            | FromWorker::Unusable(_)
            | FromWorker::Stopped(_)
            | FromWorker::Http(..)
            | FromWorker::Command(..) => return Err(malformed()),
        }
        Ok(Step::Continues)
    }

    fn end_all(&mut self, ends: Vec<(CallEnd, &[u8])>) -> io::Result<()> {
        ends.into_iter().try_for_each(|(end, value)| {
            self.end(execution(end, value.to_vec(), self.request.max_value)?)
        })
    }

    /// Returns the output of the call that runs.
    fn output(&self) -> io::Result<&GuestOutput> {
        self.request.outputs.get(self.ended).ok_or_else(malformed)
    }

    fn end(&mut self, execution: Execution) -> io::Result<()> {
        if self.ended == self.request.batch.calls() {
            return Err(malformed());
        }
        self.ended += 1;
        (self.on_end)(execution);
        Ok(())
    }
}

fn malformed() -> io::Error {
    violation(&Violation::Malformed)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::process::{Child, Command};

    use hype_wire::{FailureKind, FunctionRef};
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::super::batch::HeldEnds;
    use super::super::channel::{AsyncChannel, Channel};
    use super::super::message::{FromWorkerKind, without_head};
    use super::*;
    use crate::prepared::ItemCall;

    const END: CallEnd =
        CallEnd { is_failure: false, start_us: 0, run_us: 0, cpu_us: 0, peak_memory: 0 };

    /// A process that stands for a worker, and the worker's end of its channel.
    struct Fake {
        process: Child,
        channel: Channel,
    }

    impl Fake {
        fn start() -> (Self, Worker) {
            let (ours, channel) = Channel::pair().unwrap();
            let process = Command::new("sleep").arg("600").spawn().unwrap();
            let pidfd = pidfd_open(Pid::from_child(&process), PidfdFlags::empty()).unwrap();
            let worker = Worker::new(0, AsyncChannel::new(ours).unwrap(), pidfd);
            (Self { process, channel }, worker)
        }

        fn send(&self, kind: FromWorkerKind, body: &[u8]) {
            self.channel.send([&without_head(kind as u8), body], &[]).unwrap();
        }

        /// Sends `values` as ends of calls, in one message.
        fn send_ends(&self, values: &[&[u8]], kind: FromWorkerKind) {
            let held = HeldEnds::default();
            for value in values {
                assert!(held.hold(&END, value).unwrap());
            }
            held.send(&self.channel, kind).unwrap();
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            // The worker may have killed it.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    /// Lets a worker make a batch of two calls after it has sent what `send` sends. Returns the values, and whether the
    /// batch ended as it should.
    async fn batch(send: impl Fn(&Fake)) -> (Vec<Vec<u8>>, Result<(), Lost>) {
        let (fake, mut worker) = Fake::start();
        send(&fake);
        let function = FunctionRef::Closure("f".to_owned());
        let call = ItemCall {
            function: &function,
            arguments: b"\x90"[..].into(),
            seed: None,
            memory: None,
        };
        let batch = Batch::of_first("run-1", 1, &[call.clone(), call]).unwrap();
        let outputs = [(); 2].map(|()| GuestOutput::new(|_, _| {}));
        let request = BatchRequest {
            batch: &batch,
            outputs: &outputs,
            max_value: 8,
            timeout: None,
            interrupt: &CancellationToken::new(),
        };
        let mut values = Vec::new();
        let mut on_end = |execution: Execution| values.push(execution.value.unwrap());
        let called =
            tokio::time::timeout(Duration::from_secs(30), worker.call_batch(&request, &mut on_end));
        let ended = called.await.unwrap();
        (values, ended)
    }

    #[tokio::test]
    async fn ends_of_a_batch_arrive_in_order() {
        let (values, ended) = batch(|fake| {
            fake.send(FromWorkerKind::Stdout, b"one");
            fake.send_ends(&[b"1"], FromWorkerKind::Ends);
            fake.send(FromWorkerKind::Stdout, b"two");
            fake.send_ends(&[b"2"], FromWorkerKind::Returned);
        })
        .await;
        ended.unwrap();
        assert_eq!(values, [b"1", b"2"]);
    }

    #[tokio::test]
    async fn output_does_not_put_off_the_deadline_of_a_call() {
        let (fake, mut worker) = Fake::start();
        let channel = Channel::from(fake.channel.as_fd().try_clone_to_owned().unwrap());
        // Writes again as soon as this side has read.
        let write = move || channel.send([&without_head(FromWorkerKind::Stdout as u8), b"x"], &[]);
        write().unwrap();
        let output = GuestOutput::new(move |_, _| write().unwrap());
        let function = FunctionRef::Closure("f".to_owned());
        let arguments = b"\x90"[..].into();
        let call = ItemCall { function: &function, arguments, seed: None, memory: None };
        let batch = Batch::of_first("run-1", 1, &[call.clone(), call]).unwrap();
        let request = BatchRequest {
            batch: &batch,
            outputs: &[output.clone(), output],
            max_value: 8,
            timeout: Some(Duration::from_millis(20)),
            interrupt: &CancellationToken::new(),
        };
        let mut on_end = |execution: Execution| panic!("{execution:?}");
        let called =
            tokio::time::timeout(Duration::from_secs(30), worker.call_batch(&request, &mut on_end));
        // It reports no stack.
        assert!(matches!(called.await.unwrap(), Err(Lost::Broken(_))));
    }

    #[tokio::test]
    async fn worker_returns_the_calls_that_have_not_begun() {
        let (values, ended) = batch(|fake| fake.send_ends(&[b"1"], FromWorkerKind::Returned)).await;
        ended.unwrap();
        assert_eq!(values, [b"1"]);
    }

    #[tokio::test]
    async fn malformed_messages_of_a_batch_break_the_worker() {
        let sends: [&dyn Fn(&Fake); 7] = [
            &|fake| fake.send_ends(&[b"1", b"2", b"3"], FromWorkerKind::Returned),
            &|fake| fake.send(FromWorkerKind::Returned, b""),
            &|fake| fake.send(FromWorkerKind::Ends, b"\xff\xff"),
            &|fake| fake.send_ends(&[b"more than 8 bytes"], FromWorkerKind::Returned),
            &|fake| fake.send(FromWorkerKind::Stopped, b"\x90"),
            &|fake| fake.send(FromWorkerKind::Ready, b""),
            &|fake| {
                fake.send_ends(&[b"1", b"2"], FromWorkerKind::Ends);
                fake.send(FromWorkerKind::Stdout, b"of no call");
            },
        ];
        for (number, send) in sends.into_iter().enumerate() {
            let (_, ended) = batch(send).await;
            assert!(matches!(ended, Err(Lost::Broken(_))), "{number}: {ended:?}");
        }
    }

    #[test]
    fn failure_of_a_call_is_its_end() {
        let failure = hype_wire::Failure::new(FailureKind::Trap, "trapped");
        let bytes = hype_wire::codec::to_vec(&failure).unwrap();
        let end = CallEnd { is_failure: true, ..END };
        let ended = execution(end, bytes, 0).unwrap();
        assert_eq!(ended.value.unwrap_err().kind, FailureKind::Trap);
    }
}
