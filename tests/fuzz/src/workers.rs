use std::collections::HashSet;

use hype_wire::codec;
use hype_wire::worker::{
    CallEnd, CommandEvent, CommandMessage, CommandRequest, CommandStep, CommandStream,
    FORBIDDEN_FIELDS, FromWorker, FromWorkerKind, MAX_BODY, MAX_COMMAND, OpenCommands,
    OpenRequests, RequestEvent, RequestHead, RequestMessage, RequestStep, Timeouts, Violation,
    WINDOW, begin, frame_cost, without_head,
};

/// The maximum number of open requests, and that of commands.
const MAX_OPEN: usize = 3;

/// The first byte of a step of the program. Other first bytes are the first of the two bytes of a message's length.
const ENDS: u8 = 0xfc;
const RESPONDS: u8 = 0xfd;
const CONSUMES: u8 = 0xfe;
const SENDS: u8 = 0xff;

/// Receives messages from a worker, in the program: the input is a sequence of messages, each after its length in two bytes,
/// and of steps of the program. Returns whether the program accepts all of them.
pub(crate) fn worker(bytes: &[u8]) -> bool {
    let mut program = Program::default();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let Some((second, after)) = after.split_first() else { return false };
        rest = match *first {
            ENDS => program.end(u64::from(*second), after),
            RESPONDS => program.respond(*second != 0, after),
            CONSUMES => program.consume(u64::from(*second), after),
            SENDS => program.send(u64::from(*second), after),
            _ => {
                let length = usize::from(u16::from_be_bytes([*first, *second]));
                let Some((message, after)) = after.split_at_checked(length) else { return false };
                if let Err(violation) = program.receive(message) {
                    // The reason is short, and the worker is killed.
                    assert!(violation.to_string().len() < 100);
                    return false;
                }
                after
            }
        };
    }
    true
}

/// The program's side of a call, with all that must be true of it.
struct Program {
    open: OpenRequests,
    closed: HashSet<u64>,
    begun: HashSet<u64>,
    /// The frames of each of the first 256 requests that are under way.
    uploaded: Vec<Vec<u64>>,
    commands: OpenCommands,
    /// Whether a command waits for the response to its start.
    is_starting: bool,
}

impl Default for Program {
    fn default() -> Self {
        let uploaded = vec![Vec::new(); 256];
        Self {
            open: OpenRequests::new(MAX_OPEN),
            closed: HashSet::new(),
            begun: HashSet::new(),
            uploaded,
            commands: OpenCommands::new(MAX_OPEN),
            is_starting: false,
        }
    }
}

impl Program {
    fn receive(&mut self, message: &[u8]) -> Result<(), Violation> {
        match FromWorker::parse(message)? {
            FromWorker::Http(message, body) => self.receive_http(message, body),
            FromWorker::Command(message, body) => self.receive_command(message, body),
            FromWorker::Stdout(bytes)
            | FromWorker::Stderr(bytes)
            | FromWorker::Part(bytes)
            | FromWorker::End(_, bytes)
            | FromWorker::Unusable(bytes) => {
                assert!(bytes.len() <= MAX_BODY);
                Ok(())
            }
            FromWorker::Ends(ends) | FromWorker::Returned(ends) => {
                assert!(ends.iter().map(|(_, value)| value.len()).sum::<usize>() <= MAX_BODY);
                Ok(())
            }
            FromWorker::Ready | FromWorker::Stopped(_) | FromWorker::Value(_) => Ok(()),
        }
    }

    fn receive_http(&mut self, message: RequestMessage, body: &[u8]) -> Result<(), Violation> {
        let number = message.request;
        let event = self.open.receive(message, body);
        assert!(self.open.len() <= MAX_OPEN);
        let Some(event) = event? else { return Ok(()) };
        assert!(!self.closed.contains(&number), "a message of a closed request is accepted");
        match event {
            RequestEvent::Begun(parsed) => {
                assert!(self.begun.insert(number), "a request begins twice");
                let request = parsed.request;
                assert!(request.uri().host().is_some() && request.uri().scheme().is_some());
                assert!(request.method().as_str().len() <= 64);
                assert_is_of_guest(request.headers());
            }
            RequestEvent::Data(bytes) => {
                assert!(!bytes.is_empty() && bytes.len() <= MAX_BODY);
                if let Some(frames) = self.uploaded.get_mut(number as usize) {
                    frames.push(frame_cost(bytes.len()));
                    assert!(frames.iter().sum::<u64>() <= WINDOW);
                }
            }
            RequestEvent::Ended(Some(trailers)) => assert_is_of_guest(&trailers),
            RequestEvent::Consumed(cost) => assert!((1..=2 * WINDOW).contains(&cost)),
            RequestEvent::Ended(None) | RequestEvent::Aborted => {}
            RequestEvent::Closed => {
                assert!(!self.open.contains(number));
                self.closed.insert(number);
            }
        }
        Ok(())
    }

    fn receive_command(&mut self, message: CommandMessage, body: &[u8]) -> Result<(), Violation> {
        let Some(event) = self.commands.receive(message, body)? else { return Ok(()) };
        match event {
            CommandEvent::Start(request) => {
                assert!(!self.is_starting, "two commands start at once");
                assert_eq!(message.command, self.commands.next());
                assert!(self.commands.len() < MAX_OPEN && request.pipes() <= 3);
                // A worker can send what was accepted.
                let bytes = request.to_bytes().map_or(0, |bytes| bytes.len());
                assert!((1..=MAX_COMMAND).contains(&bytes));
                self.is_starting = true;
            }
            CommandEvent::Kill => assert!(self.commands.contains(message.command)),
        }
        Ok(())
    }

    /// Responds to the start of a command, if one waits for that.
    fn respond<'a>(&mut self, is_started: bool, rest: &'a [u8]) -> &'a [u8] {
        if std::mem::take(&mut self.is_starting) {
            self.commands.responded(is_started);
        }
        rest
    }

    /// Ends a command.
    fn end<'a>(&mut self, number: u64, rest: &'a [u8]) -> &'a [u8] {
        self.commands.ended(number);
        assert!(!self.commands.contains(number));
        rest
    }

    /// Consumes a frame of the body of a request.
    fn consume<'a>(&mut self, number: u64, rest: &'a [u8]) -> &'a [u8] {
        if let Some(cost) = self.uploaded[number as usize].pop() {
            self.open.consumed(number, cost);
        }
        rest
    }

    /// Sends a frame of a response, within its window.
    fn send<'a>(&mut self, number: u64, rest: &'a [u8]) -> &'a [u8] {
        self.open.sent(number, 1 << 10);
        rest
    }
}

fn assert_is_of_guest(fields: &http::HeaderMap) {
    assert!(FORBIDDEN_FIELDS.iter().all(|name| !fields.contains_key(name)));
    assert!(fields.get_all("content-length").iter().count() <= 1);
    let size: usize = fields.iter().map(|(_, value)| value.len()).sum();
    assert!(size <= 128 << 10);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let request = http::Request::put("http://a.example:81/x?y").header("x-a", "1").body(());
    let request = request.unwrap_or_default();
    let head = |has_body| encoded(&RequestHead::new(&request, has_body, Timeouts::default()));
    let http = |request, step, body: &[u8]| {
        let message = RequestMessage { request, step };
        let beginning = begin(FromWorkerKind::Http as u8, &message);
        let beginning =
            beginning.unwrap_or_else(|error| panic!("a seed can't be written: {error}"));
        with_length(&[&beginning, body])
    };
    let (is_last, with_body) = (true, head(true));
    let upload = [
        http(0, RequestStep::Head { is_last: false }, &with_body[..9]),
        http(0, RequestStep::Head { is_last }, &with_body[9..]),
        http(0, RequestStep::Data, b"body"),
        vec![CONSUMES, 0],
        http(0, RequestStep::Trailers { is_last }, &encoded(&Vec::<(String, Vec<u8>)>::new())),
        vec![SENDS, 0],
        http(0, RequestStep::Consumed { cost: 1 << 10 }, b""),
        http(0, RequestStep::Close, b""),
    ];
    let two = [
        http(0, RequestStep::Head { is_last }, &head(false)),
        http(1, RequestStep::Head { is_last }, &with_body),
        http(1, RequestStep::End { is_complete: true }, b""),
        http(0, RequestStep::Close, b""),
    ];
    let end = CallEnd { is_failure: false, start_us: 1, run_us: 300, cpu_us: 0, peak_memory: 7 };
    let end = begin(FromWorkerKind::End as u8, &end);
    let end = end.unwrap_or_else(|error| panic!("a seed can't be written: {error}"));
    let stopped = without_head(FromWorkerKind::Stopped as u8);
    let call = [
        with_length(&[&without_head(FromWorkerKind::Ready as u8)]),
        with_length(&[&without_head(FromWorkerKind::Stdout as u8), b"text"]),
        with_length(&[&stopped, &encoded(&Vec::<hype_wire::Frame>::new())]),
        with_length(&[&end, b"value"]),
    ];
    vec![upload.concat(), two.concat(), call.concat(), commands()]
}

/// Returns the messages of a call with commands.
fn commands() -> Vec<u8> {
    let command = |command, step, body: &[u8]| {
        let beginning = begin(FromWorkerKind::Command as u8, &CommandMessage { command, step });
        let beginning =
            beginning.unwrap_or_else(|error| panic!("a seed can't be written: {error}"));
        with_length(&[&beginning, body])
    };
    let request = CommandRequest {
        program: "sh".to_owned(),
        arguments: vec!["-c".to_owned(), "echo".to_owned()],
        environment: vec![("A".to_owned(), "1".to_owned())],
        removed: vec!["B".to_owned()],
        clear: true,
        directory: Some("/tmp".to_owned()),
        stdin: CommandStream::Null,
        stdout: CommandStream::Piped,
        stderr: CommandStream::Inherit,
    };
    let (request, is_last) = (encoded(&request), true);
    let steps = [
        command(0, CommandStep::Start { is_last: false }, &request[..5]),
        command(0, CommandStep::Start { is_last }, &request[5..]),
        vec![RESPONDS, 0],
        command(0, CommandStep::Start { is_last }, &request),
        vec![RESPONDS, 1],
        command(1, CommandStep::Start { is_last }, &request),
        vec![RESPONDS, 1],
        command(0, CommandStep::Kill, b""),
        vec![ENDS, 0],
        command(0, CommandStep::Kill, b""),
    ];
    steps.concat()
}

fn encoded(value: &impl serde::Serialize) -> Vec<u8> {
    codec::to_vec(value).unwrap_or_else(|error| panic!("a seed can't be written: {error}"))
}

/// Encodes a message of these parts after its length.
fn with_length(parts: &[&[u8]]) -> Vec<u8> {
    let message = parts.concat();
    [&(message.len() as u16).to_be_bytes()[..], &message].concat()
}
