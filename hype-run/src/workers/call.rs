//! One call in a worker, which this side treats as hostile.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::time::{Duration, Instant};

use hype_wire::Frame;
use hype_wire::worker::{FromWorker, Violation};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpid, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio_util::sync::CancellationToken;

use super::argument_stream::OutgoingArguments;
use super::broker::Encoded;
use super::brokers::Brokers;
use super::call_commands::CallCommands;
use super::channel::{AsyncChannel, Received, RegisteredChannel};
use super::message::{CallHead, MAX_BODY, MAX_MESSAGE, ToWorkerKind, begin};
use super::progress::{Progress, violation};
use super::stop;
use crate::deadline::until;
use crate::execution::Execution;
use crate::http::Requests;
use crate::output::{GuestOutput, Stream};

/// The time that a call waits for its end on this thread, before the thread turns to other tasks. Most calls are shorter,
/// and a change of tasks costs as much as a short call.
const BLOCKING: Duration = Duration::from_micros(200);

/// The time that a worker has to end after it has closed its channel. One that doesn't end breaks the protocol.
const LAST_STEPS_TIMEOUT: Duration = Duration::from_secs(10);

/// The time that a worker that was killed has to end.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// A worker process. Dropping it kills the process; the fork server removes its directory.
#[derive(Debug)]
pub(super) struct Worker {
    /// The number by which the fork server knows the worker.
    number: u64,
    channel: AsyncChannel,
    buffer: Vec<u8>,
    pidfd: OwnedFd,
    /// The process that owns the worker. A fork of it has copies of the descriptors.
    owner: Pid,
    /// The time that the next call waits for its end on this thread. It is zero after a long call, and once a call has
    /// waited.
    blocking: Duration,
}

/// The message that begins a call.
pub(super) struct Beginning<'a> {
    head: Vec<u8>,
    arguments: &'a [u8],
}

impl<'a> Beginning<'a> {
    /// # Errors
    ///
    /// When the head is too large.
    pub(super) fn new(mut head: CallHead, arguments: &'a [u8]) -> io::Result<Self> {
        if arguments.len() > MAX_BODY {
            head.streamed = Some(arguments.len() as u64);
        }
        Ok(Self { head: begin(ToWorkerKind::Call as u8, &head)?, arguments })
    }
}

/// A call and its bounds.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) beginning: &'a Beginning<'a>,
    pub(super) output: &'a GuestOutput,
    /// The maximum size of the value, in bytes.
    pub(super) max_value: u64,
    pub(super) deadline: Option<Instant>,
    pub(super) interrupt: &'a CancellationToken,
    /// The requests that the guest may send, if any.
    pub(super) http: Option<&'a Requests>,
    /// The commands that the guest may start, if any.
    pub(super) commands: Option<&'a CallCommands>,
}

/// The time that a worker has to report that its guest is stopped. Only one that isn't scheduled needs it.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// The reason why a worker did not end its call. The worker is unusable then.
#[derive(Debug)]
pub(super) enum Lost {
    /// The deadline has passed. The stack of the guest is empty if it waited for the host.
    Deadline(Vec<Frame>),
    Interrupted,
    /// The worker had ended before it received the call.
    Unstarted(io::Error),
    /// The worker ended during the call, or sent something that it must not.
    Broken(io::Error),
    /// The worker was killed during the call, since it used more than this number of bytes.
    OverMemory(u64),
}

impl Lost {
    /// Returns whether the channel of the worker has closed during the call.
    fn is_end(&self) -> bool {
        use io::ErrorKind::{ConnectionReset, UnexpectedEof};
        matches!(self, Self::Broken(error) if matches!(error.kind(), ConnectionReset | UnexpectedEof))
    }
}

impl Worker {
    pub(super) fn new(number: u64, channel: AsyncChannel, pidfd: OwnedFd) -> Self {
        Self {
            number,
            channel,
            buffer: vec![0; MAX_MESSAGE],
            pidfd,
            owner: getpid(),
            blocking: Duration::ZERO,
        }
    }

    /// Waits until the worker has set itself up.
    pub(super) async fn wait_until_ready(&mut self) -> io::Result<()> {
        match self.receive().await? {
            FromWorker::Ready => Ok(()),
            FromWorker::Unusable(reason) => {
                Err(io::Error::new(io::ErrorKind::Unsupported, String::from_utf8_lossy(reason)))
            }
            _ => Err(violation(&Violation::Malformed)),
        }
    }

    /// Makes one call.
    pub(super) async fn call(&mut self, request: Request<'_>) -> Result<Execution, Lost> {
        let started = Instant::now();
        let call = async {
            let outgoing = self.begin(request.beginning).await.map_err(Lost::Unstarted)?;
            let end = pin!(async {
                match (request.http, request.commands) {
                    (None, None) => self.receive_end(&request).await,
                    _ => self.serve(&request).await,
                }
            });
            let ended = match outgoing {
                None => end.await,
                Some(outgoing) => end_while_sending(end, &outgoing).await,
            };
            ended.map_err(Lost::Broken)
        };
        // The end of the call comes last: when a worker floods its channel, `receive` yields regularly.
        let ended = tokio::select! {
            biased;
            () = request.interrupt.cancelled() => Err(Lost::Interrupted),
            () = until(request.deadline) => Err(Lost::Deadline(self.stop(&request).await)),
            ended = call => ended,
        };
        self.blocking = if started.elapsed() < BLOCKING { BLOCKING } else { Duration::ZERO };
        ended
    }

    /// Returns the number of a worker that has ended, and not because this program killed it.
    pub(super) async fn ended_number(&self, lost: &Lost) -> Option<u64> {
        // The channel closes a moment before the worker ends, or longer on a machine under load.
        let ended = has_ended(&self.pidfd);
        let has_ended = async { tokio::time::timeout(LAST_STEPS_TIMEOUT, ended).await };
        let has_ended = lost.is_end() && has_ended.await.is_ok();
        has_ended.then_some(self.number)
    }

    /// Kills the worker, and waits for its end. It changes no file after that.
    pub(super) async fn end(self) {
        self.kill();
        // Not the end of its messages: a malformed one may still wait, and a fork of this process may keep the channel open.
        let _ = tokio::time::timeout(END_TIMEOUT, has_ended(&self.pidfd)).await;
    }

    fn kill(&self) {
        if self.owner == getpid() {
            self.signal(Signal::KILL);
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        match pidfd_send_signal(&self.pidfd, signal) {
            // `SRCH`: the process has ended.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => tracing::warn!(
                "cannot send a signal to a worker process, which may go on: {error}; a program must not \
                 change its user, nor forbid itself signals, while it uses hype"
            ),
        }
    }

    /// Stops the guest, and returns its stack if the worker reports it in time.
    async fn stop(&mut self, request: &Request<'_>) -> Vec<Frame> {
        if let Some(signal) = Signal::from_named_raw(stop::SIGNAL) {
            self.signal(signal);
        }
        let stopped = tokio::time::timeout(STOP_TIMEOUT, async {
            loop {
                match self.receive().await.ok()? {
                    FromWorker::Stopped(frames) => return Some(frames),
                    FromWorker::Stdout(bytes) => request.output.write(Stream::Stdout, bytes),
                    FromWorker::Stderr(bytes) => request.output.write(Stream::Stderr, bytes),
                    // The call has ended too late, and its requests with it.
                    FromWorker::Value(_)
                    | FromWorker::Part(_)
                    | FromWorker::End(..)
                    | FromWorker::Http(..)
                    | FromWorker::Command(..) => {}
                    FromWorker::Ready
                    | FromWorker::Unusable(_)
                    | FromWorker::Ends(_)
                    | FromWorker::Returned(_) => return None,
                }
            }
        });
        stopped.await.ok().flatten().unwrap_or_default()
    }

    /// Sends the message that begins a call. Returns the arguments that are too large for it.
    async fn begin<'a>(
        &mut self,
        beginning: &Beginning<'a>,
    ) -> io::Result<Option<OutgoingArguments<'a>>> {
        let Beginning { head, arguments } = beginning;
        if arguments.len() <= MAX_BODY {
            return self.channel.send([head, arguments], &[]).await.map(|()| None);
        }
        let (outgoing, theirs) = OutgoingArguments::new(arguments)?;
        self.channel.send([head, b""], &[theirs.as_fd()]).await?;
        // Waiting on this thread would delay the arguments.
        self.blocking = Duration::ZERO;
        Ok(Some(outgoing))
    }

    /// Sends a message without descriptors.
    pub(super) async fn send_message(&self, parts: [&[u8]; 2]) -> io::Result<()> {
        self.channel.send(parts, &[]).await
    }

    /// Handles the messages of a call until its end.
    async fn receive_end(&mut self, request: &Request<'_>) -> io::Result<Execution> {
        let mut progress = Progress::new(request);
        loop {
            if let Some(execution) = progress.advance(self.receive().await?)? {
                return Ok(execution);
            }
        }
    }

    /// Handles the messages of a call whose guest may send requests or start commands, until its end.
    async fn serve(&mut self, request: &Request<'_>) -> io::Result<Execution> {
        let mut progress = Progress::new(request);
        let mut brokers = Brokers::new(request);
        let channel = self.channel.registered()?;
        let exit = register(&self.pidfd)?;
        let (mut outgoing, mut is_closed) = (None, false);
        loop {
            let received = tokio::select! {
                message = brokers.next(), if outgoing.is_none() && !is_closed => {
                    outgoing = Some(message?);
                    continue;
                }
                sent = send(&channel, outgoing.as_ref()), if outgoing.is_some() => {
                    // A worker that has ended says in its last messages why.
                    is_closed = is_closed_by_worker(sent)?;
                    outgoing = None;
                    continue;
                }
                received = receive(&channel, &exit, &mut self.buffer) => received?,
            };
            let message = brokers.receive(parse(&self.buffer, &received)?);
            let Some(message) = message.map_err(|error| violation(&error))? else { continue };
            if let Some(execution) = progress.advance(message)? {
                return Ok(execution);
            }
        }
    }

    /// Receives what native code in a test's worker has written.
    #[cfg(test)]
    pub(super) async fn receive_text(&mut self) -> io::Result<String> {
        match self.receive().await? {
            FromWorker::Stdout(text) => Ok(String::from_utf8_lossy(text).into_owned()),
            other => Err(io::Error::other(format!("{other:?}"))),
        }
    }

    pub(super) async fn receive(&mut self) -> io::Result<FromWorker<'_>> {
        tokio::task::coop::consume_budget().await;
        let blocking = std::mem::take(&mut self.blocking);
        let received = tokio::select! {
            biased;
            received = self.channel.receive(&mut self.buffer, blocking) => Some(received?),
            // A fork of this process may keep the other end of the channel open.
            ended = has_ended(&self.pidfd) => ended.map(|()| None)?,
        };
        let received = match received {
            Some(received) => received,
            // What the worker sent before its end.
            None => self.channel.receive_arrived(&mut self.buffer)?,
        };
        parse(&self.buffer, &received.ok_or_else(ended)?)
    }
}

/// Returns the result of `end`, and sends the arguments meanwhile.
async fn end_while_sending<T>(
    mut end: impl Future<Output = io::Result<T>> + Unpin,
    outgoing: &OutgoingArguments<'_>,
) -> io::Result<T> {
    tokio::select! {
        ended = &mut end => return ended,
        sent = outgoing.send() => sent?,
    }
    end.await
}

/// Parses a received message, which must have no descriptors.
fn parse<'a>(buffer: &'a [u8], received: &Received) -> io::Result<FromWorker<'a>> {
    let Received { length, descriptors, has_lost_descriptors } = received;
    if *has_lost_descriptors || !descriptors.is_empty() {
        return Err(violation(&Violation::Malformed));
    }
    FromWorker::parse(&buffer[..*length]).map_err(|error| violation(&error))
}

/// Receives a message from a worker, whose end `exit` shows.
async fn receive(
    channel: &RegisteredChannel<'_>,
    exit: &AsyncFd<BorrowedFd<'_>>,
    buffer: &mut [u8],
) -> io::Result<Received> {
    tokio::task::coop::consume_budget().await;
    let received = tokio::select! {
        biased;
        received = channel.receive(buffer) => Some(received?),
        // A fork of this process may keep the other end of the channel open.
        ended = exit.readable() => ended.map(|_| None)?,
    };
    let received = match received {
        Some(received) => received,
        // What the worker sent before its end.
        None => channel.receive_arrived(buffer)?,
    };
    received.ok_or_else(ended)
}

async fn send(channel: &RegisteredChannel<'_>, message: Option<&Encoded>) -> io::Result<()> {
    match message {
        Some(Encoded { head, body, descriptors }) => {
            let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            channel.send([head, body], &descriptors).await
        }
        None => Ok(()),
    }
}

/// Returns whether the worker has closed its end. Any other error loses a message that its guest waits for.
fn is_closed_by_worker(sent: io::Result<()>) -> io::Result<bool> {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    match sent {
        Ok(()) => Ok(false),
        Err(error) if matches!(error.kind(), BrokenPipe | ConnectionReset) => Ok(true),
        Err(error) => Err(error),
    }
}

fn register(pidfd: &OwnedFd) -> io::Result<AsyncFd<BorrowedFd<'_>>> {
    // SAFETY: the descriptor is borrowed from an owner, so that it stays open and the same.
    Ok(unsafe { AsyncFd::register_with_interest(pidfd.as_fd(), Interest::READABLE)? })
}

/// Waits until the last thread of the process has ended.
async fn has_ended(pidfd: &OwnedFd) -> io::Result<()> {
    register(pidfd)?.readable().await.map(drop)
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the worker process has ended")
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::mpsc;

    use hype_wire::FunctionRef;
    use rustix::process::{PidfdFlags, pidfd_open};

    use super::super::channel::Channel;
    use super::super::message::{FromWorkerKind, without_head};
    use super::*;

    /// Makes a call in a worker that writes again as soon as this side has read. Returns whether it ended at its deadline.
    async fn call_flooding_worker(ours: Channel, theirs: Channel, pidfd: OwnedFd) -> bool {
        let mut worker = Worker::new(0, AsyncChannel::new(ours).unwrap(), pidfd);
        let function = FunctionRef::Closure("flood".to_owned());
        let head = CallHead {
            run_id: "run-1".to_owned(),
            attempt: 1,
            function,
            seed: None,
            streamed: None,
        };
        let beginning = Beginning::new(head, b"").unwrap();
        let write = move || theirs.send([&without_head(FromWorkerKind::Stdout as u8), b"x"], &[]);
        write().unwrap();
        let output = GuestOutput::new(move |_, _| write().unwrap());
        let request = Request {
            beginning: &beginning,
            output: &output,
            max_value: 1,
            deadline: Instant::now().checked_add(Duration::from_millis(20)),
            interrupt: &CancellationToken::new(),
            http: None,
            commands: None,
        };
        matches!(worker.call(request).await, Err(Lost::Deadline(_)))
    }

    #[tokio::test]
    async fn call_waits_on_its_thread_once() {
        let (ours, theirs) = Channel::pair().unwrap();
        let mut process = Command::new("sleep").arg("600").spawn().unwrap();
        let pidfd = pidfd_open(Pid::from_child(&process), PidfdFlags::empty()).unwrap();
        let mut worker = Worker::new(0, AsyncChannel::new(ours).unwrap(), pidfd);
        worker.blocking = BLOCKING;
        theirs.send([&without_head(FromWorkerKind::Stdout as u8), b"x"], &[]).unwrap();
        worker.receive().await.unwrap();
        let blocking = worker.blocking;
        drop(worker);
        process.wait().unwrap();
        assert_eq!(blocking, Duration::ZERO);
    }

    /// A fork of the program keeps the worker's end of the channel open.
    #[tokio::test]
    async fn end_of_worker_is_noticed_while_its_channel_is_open() {
        let (ours, theirs) = Channel::pair().unwrap();
        let mut process = Command::new("sleep").arg("600").spawn().unwrap();
        let pidfd = pidfd_open(Pid::from_child(&process), PidfdFlags::empty()).unwrap();
        let mut worker = Worker::new(0, AsyncChannel::new(ours).unwrap(), pidfd);
        theirs.send([&without_head(FromWorkerKind::Stdout as u8), b"x"], &[]).unwrap();
        process.kill().unwrap();
        let timeout = Duration::from_secs(30);
        let received = tokio::time::timeout(timeout, worker.receive()).await.unwrap();
        assert_eq!(received.unwrap(), FromWorker::Stdout(b"x"));
        let received = tokio::time::timeout(timeout, worker.receive()).await.unwrap();
        assert!(received.unwrap_err().to_string().contains("has ended"));
        drop(theirs);
        process.wait().unwrap();
    }

    #[tokio::test]
    async fn malformed_message_does_not_hide_that_a_worker_goes_on() {
        let (ours, theirs) = Channel::pair().unwrap();
        let mut process = Command::new("sleep").arg("600").spawn().unwrap();
        let pidfd = pidfd_open(Pid::from_child(&process), PidfdFlags::empty()).unwrap();
        let worker = Worker::new(0, AsyncChannel::new(ours).unwrap(), pidfd.try_clone().unwrap());
        theirs.send([b"malformed", b""], &[]).unwrap();
        worker.end().await;
        let ended = rustix::event::poll(
            &mut [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)],
            Some(&rustix::event::Timespec::default()),
        );
        process.wait().unwrap();
        assert_eq!(ended, Ok(1));
    }

    #[test]
    fn flood_of_messages_delays_no_deadline() {
        let (ours, theirs) = Channel::pair().unwrap();
        let mut process = Command::new("sleep").arg("600").spawn().unwrap();
        let pidfd = pidfd_open(Pid::from_child(&process), PidfdFlags::empty()).unwrap();
        let (sender, is_deadline) = mpsc::channel();
        // Without yields the call would never return to a timeout on its own thread.
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            sender.send(runtime.block_on(call_flooding_worker(ours, theirs, pidfd)))
        });
        let is_deadline = is_deadline.recv_timeout(Duration::from_secs(30));
        // The worker was dropped, and so killed; if the test fails, it still runs.
        let _ = process.kill();
        process.wait().unwrap();
        assert_eq!(is_deadline, Ok(true));
    }
}
