//! A hostile worker, which a thread of the test plays, against the program's side of a call.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::Duration;

use hype_wire::worker::{CallEnd, FromWorkerKind, RequestHead, RequestStep, without_head};
use hype_wire::{FunctionRef, HttpGrant};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio_util::sync::CancellationToken;

use super::super::call::{Beginning, Lost, Request as CallRequest, Worker};
use super::super::channel::{AsyncChannel, Channel};
use super::super::message::{CallHead, MAX_MESSAGE, head as decode, split};
use super::*;
use crate::execution::Execution;
use crate::http::{Connections, DirectClient, SystemResolver};
use crate::output::GuestOutput;

const LAST: RequestStep = RequestStep::Head { is_last: true };

const CALL_END: CallEnd =
    CallEnd { is_failure: false, start_us: 0, run_us: 0, cpu_us: 0, peak_memory: 0 };

const TIMEOUT: Duration = Duration::from_secs(60);

/// The worker's end of the channel.
struct Hostile(Channel);

impl Hostile {
    fn send(&self, request: u64, step: RequestStep, body: &[u8]) {
        let message = RequestMessage { request, step };
        // The error means that the program has ended the call.
        let _ = self.0.send([&begin(FromWorkerKind::Http as u8, &message).unwrap(), body], &[]);
    }

    fn end_call(&self) {
        let end = CallEnd { is_failure: false, start_us: 0, run_us: 0, cpu_us: 0, peak_memory: 0 };
        self.0.send([&begin(FromWorkerKind::End as u8, &end).unwrap(), b"\xc0"], &[]).unwrap();
        // A channel that is closed with unread messages loses its own, too.
        while self.receive().is_some() {}
    }

    /// Receives the next message about a request, with the size of its body.
    fn receive(&self) -> Option<(ResponseMessage, usize)> {
        let mut buffer = vec![0; MAX_MESSAGE];
        loop {
            let length = self.0.receive(&mut buffer).ok()??.length;
            let (kind, message, body) = split(&buffer[..length])?;
            if kind == ToWorkerKind::Http as u8 {
                return Some((decode(message).unwrap(), body.len()));
            }
        }
    }
}

fn head_of(url: &str, has_body: bool) -> Vec<u8> {
    let request = Request::put(url).body(()).unwrap();
    codec::to_vec(&RequestHead::new(&request, has_body, Timeouts::default())).unwrap()
}

/// A process in place of a worker, which a call kills.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes a call whose guest is granted `url`, in a worker that behaves as `play` does.
async fn call_with(
    url: &str,
    play: impl FnOnce(Hostile) + Send + 'static,
) -> Result<Execution, Lost> {
    let (ours, theirs) = Channel::pair().unwrap();
    let process = Process(Command::new("sleep").arg("600").spawn().unwrap());
    let pidfd = pidfd_open(Pid::from_child(&process.0), PidfdFlags::empty()).unwrap();
    let mut worker = Worker::new(0, AsyncChannel::new(ours).unwrap(), pidfd);
    let grant: HttpGrant = url.parse().unwrap();
    let client = Arc::new(DirectClient::new(Arc::new(SystemResolver)));
    let requests = Requests::new(&[grant], client, 1 << 30, Connections::of_worker());
    let function = FunctionRef::Closure("f".to_owned());
    let head =
        CallHead { run_id: "run-1".to_owned(), attempt: 1, function, seed: None, streamed: None };
    let request = CallRequest {
        beginning: &Beginning::new(head, b"").unwrap(),
        output: &GuestOutput::new(|_, _| {}),
        max_value: 1,
        deadline: None,
        interrupt: &CancellationToken::new(),
        http: Some(&requests),
        commands: None,
    };
    let thread = std::thread::spawn(move || play(Hostile(theirs)));
    let call = tokio::time::timeout(TIMEOUT, worker.call(request));
    let ended = call.await.unwrap();
    // Closes the channel, which ends the thread.
    drop(worker);
    thread.join().unwrap();
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn request_without_a_grant_is_denied_by_the_program() {
    let (sender, step) = mpsc::channel();
    let call = call_with("http://127.0.0.1:81", move |worker| {
        worker.send(0, LAST, &head_of("http://127.0.0.1:82/", false));
        sender.send(worker.receive().unwrap().0.step).unwrap();
        worker.send(0, RequestStep::Close, b"");
        worker.end_call();
    });
    assert_eq!(call.await.unwrap().value, Ok(vec![0xc0]));
    let ResponseStep::Denied { what, .. } = step.recv_timeout(TIMEOUT).unwrap() else {
        panic!("not denied")
    };
    assert_eq!(what, "asked for http://127.0.0.1:82/");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn worker_that_violates_the_protocol_loses_its_call() {
    type Play = fn(&Hostile);
    let url = "http://127.0.0.1:81";
    let plays: [(&str, Play); 7] = [
        ("doesn't have", |it| it.send(0, RequestStep::Close, b"")),
        ("doesn't have", |it| it.send(1, LAST, &head_of("http://127.0.0.1:81/", false))),
        ("malformed", |it| it.send(0, LAST, b"\x93")),
        ("another order", |it| {
            it.send(0, LAST, &head_of("http://127.0.0.1:81/", false));
            it.send(0, RequestStep::Data, b"x");
        }),
        ("too large a head", |it| {
            for _ in 0..5 {
                it.send(0, RequestStep::Head { is_last: false }, &[0; MAX_BODY]);
            }
        }),
        ("consumed more", |it| {
            it.send(0, LAST, &head_of("http://127.0.0.1:81/", false));
            it.send(0, RequestStep::Consumed { cost: 1 }, b"");
        }),
        ("malformed", |it| {
            let _ = it.0.send([&without_head(FromWorkerKind::Ready as u8), b""], &[]);
        }),
    ];
    for (reason, play) in plays {
        let ended = call_with(url, move |worker| {
            play(&worker);
            while worker.receive().is_some() {}
        });
        let Err(Lost::Broken(error)) = ended.await else { panic!("not lost: {reason}") };
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// Starts a server that responds endlessly to one request, and then reports the size of what it has written.
fn start_endless_server() -> (String, mpsc::Receiver<usize>) {
    let (written, has_written) = mpsc::channel();
    let url = start_server(move |mut stream| {
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut size = 0;
        while let Ok(more) = stream.write(&[7; 1 << 16]) {
            size += more;
        }
        written.send(size).unwrap();
    });
    (url, has_written)
}

/// Starts a server whose only connection `serve` serves. Returns its URL.
fn start_server(serve: impl FnOnce(std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || serve(listener.accept().unwrap().0));
    url
}

/// Receives until `size` bytes of a response have arrived, and reports each frame as consumed if `consumes`. Returns the
/// received bytes, those that arrive after the end of the call included.
fn download(worker: &Hostile, size: u64, consumes: bool) -> u64 {
    let data = || loop {
        let (message, size) = worker.receive()?;
        match message.step {
            ResponseStep::Data => return Some(size),
            ResponseStep::Head { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    let mut received = 0;
    while received < size {
        let frame = data().unwrap();
        received += frame as u64;
        if consumes {
            worker.send(0, RequestStep::Consumed { cost: frame_cost(frame) }, b"");
        }
    }
    let end = begin(FromWorkerKind::End as u8, &CALL_END).unwrap();
    worker.0.send([&end, b"\xc0"], &[]).unwrap();
    received + std::iter::from_fn(data).map(|frame| frame as u64).sum::<u64>()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn response_is_sent_as_far_as_its_window_allows() {
    // A server's frame has at most 128 KiB, and is sent in two parts.
    for (size, consumes, most) in
        [(10 * WINDOW, true, 11 * WINDOW + (128 << 10)), (WINDOW / 2, false, WINDOW)]
    {
        let (url, has_written) = start_endless_server();
        let (sender, received) = mpsc::channel();
        let request = head_of(&url, false);
        let call = call_with(&url, move |worker| {
            worker.send(0, LAST, &request);
            sender.send(download(&worker, size, consumes)).unwrap();
        });
        assert!(call.await.unwrap().value.is_ok());
        let received = received.recv().unwrap();
        assert!((size..=most).contains(&received), "{received} of {size}");
        // The end of the call ends the connection.
        assert!(has_written.recv_timeout(TIMEOUT).unwrap() as u64 >= size);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn closed_request_ends_its_connection() {
    let (closed, is_closed) = mpsc::channel();
    let (arrived, has_arrived) = mpsc::channel();
    let url = start_server(move |mut stream| {
        stream.read_exact(&mut [0; 3]).unwrap();
        arrived.send(()).unwrap();
        closed.send(stream.read_to_end(&mut Vec::new()).is_ok()).unwrap();
    });
    let request = head_of(&url, true);
    let call = call_with(&url, move |worker| {
        worker.send(0, LAST, &request);
        has_arrived.recv_timeout(TIMEOUT).unwrap();
        worker.send(0, RequestStep::Close, b"");
        is_closed.recv_timeout(TIMEOUT).unwrap();
        worker.end_call();
    });
    assert!(call.await.unwrap().value.is_ok());
}

#[tokio::test]
async fn closed_requests_leave_no_reports() {
    let grant: HttpGrant = "http://127.0.0.1:81".parse().unwrap();
    let client = Arc::new(DirectClient::new(Arc::new(SystemResolver)));
    let requests = Requests::new(&[grant], client, 1 << 30, Connections::of_worker());
    let mut broker = Broker::new(&requests);
    let head = head_of("http://127.0.0.1:82/", true);
    for request in 0..1000 {
        broker.receive(RequestMessage { request, step: LAST }, &head).unwrap();
        broker.receive(RequestMessage { request, step: RequestStep::Close }, b"").unwrap();
    }
    assert_eq!((broker.reports.len(), broker.reported.len()), (0, 0));
}

#[test]
fn fields_that_wasmtime_forbids_are_forbidden() {
    let forbidden = hype_wire::worker::FORBIDDEN_FIELDS;
    assert_eq!(forbidden, wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS);
}
