//! A hostile worker, which a thread of the test plays, against the program's side of a call that grants `sh`.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hype_wire::worker::{
    CallEnd, CommandRequest, CommandStep, CommandStream, FromWorkerKind, StartError,
};
use hype_wire::{Blob, CommandName, ComponentRef, FunctionRef, Job};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio_util::sync::CancellationToken;

use super::super::call::{Beginning, Lost, Request, Worker};
use super::super::channel::{AsyncChannel, Channel, Received};
use super::super::message::{CallHead, MAX_MESSAGE, head as decode, split};
use super::*;
use crate::execution::{CallContext, Execution, Remote};
use crate::layout::Layout;
use crate::output::GuestOutput;
use crate::process::check_namespaces;
use crate::run::RunRequest;
use crate::variables::Variables;

const LAST: CommandStep = CommandStep::Start { is_last: true };

const TIMEOUT: Duration = Duration::from_secs(60);

/// The worker's end of the channel.
struct Hostile(Channel);

impl Hostile {
    fn send(&self, command: u64, step: CommandStep, body: &[u8]) {
        let message = CommandMessage { command, step };
        // The error means that the program has ended the call.
        let _ = self.0.send([&begin(FromWorkerKind::Command as u8, &message).unwrap(), body], &[]);
    }

    fn start(&self, command: u64, request: &CommandRequest) {
        self.send(command, LAST, &request.to_bytes().unwrap());
    }

    fn receive(&self) -> Option<(CommandReport, Vec<OwnedFd>)> {
        let mut buffer = vec![0; MAX_MESSAGE];
        loop {
            let Received { length, descriptors, .. } = self.0.receive(&mut buffer).ok()??;
            let (kind, message, _) = split(&buffer[..length])?;
            if kind == ToWorkerKind::Command as u8 {
                return Some((decode(message).unwrap(), descriptors));
            }
        }
    }

    fn end_call(&self) {
        let end = CallEnd { is_failure: false, start_us: 0, run_us: 0, cpu_us: 0, peak_memory: 0 };
        self.0.send([&begin(FromWorkerKind::End as u8, &end).unwrap(), b"\xc0"], &[]).unwrap();
        // A channel that is closed with unread messages loses its own, too.
        while self.receive().is_some() {}
    }
}

/// Returns a request for a shell that executes `script`.
fn shell(script: &str) -> CommandRequest {
    let arguments = vec!["-c".to_owned(), script.to_owned()];
    CommandRequest { program: "sh".to_owned(), arguments, ..CommandRequest::default() }
}

/// Returns the commands of a call whose guest may start `sh`.
pub(in super::super) fn commands_of_call() -> CallCommands {
    let mut job = Job::new(ComponentRef { name: "test".to_owned(), blob: Blob::of(b"") });
    job.powers.commands = vec![CommandName::try_from("sh".to_owned()).unwrap()];
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
    let commands = CallCommands::new(&CallContext {
        job: &job,
        run_id: "run-1",
        request: &request,
        layout: &Layout::of_roots(Vec::new()),
        output: &GuestOutput::new(|_, _| {}),
        function: &FunctionRef::Closure("f".to_owned()),
        seed: None,
        spent: Duration::ZERO,
        interrupt: &request.interrupt,
        remote: Remote::default(),
        progress: None,
    });
    commands.unwrap().unwrap()
}

/// Makes a call whose guest may start `sh`, in a worker that behaves as `play` does. Returns `None` where there are no rooms.
async fn call_with(play: impl FnOnce(Hostile) + Send + 'static) -> Option<Result<Execution, Lost>> {
    if let Err(refusal) = check_namespaces() {
        eprintln!("skipped: {refusal}");
        return None;
    }
    let commands = commands_of_call();
    let (ours, theirs) = Channel::pair().unwrap();
    let mut process = Command::new("sleep").arg("600").spawn().unwrap();
    let pidfd = pidfd_open(Pid::from_child(&process), PidfdFlags::empty()).unwrap();
    let mut worker = Worker::new(0, AsyncChannel::new(ours).unwrap(), pidfd);
    let function = FunctionRef::Closure("f".to_owned());
    let head =
        CallHead { run_id: "run-1".to_owned(), attempt: 1, function, seed: None, streamed: None };
    let request = Request {
        beginning: &Beginning::new(head, b"").unwrap(),
        output: &GuestOutput::new(|_, _| {}),
        max_value: 1,
        deadline: Instant::now().checked_add(TIMEOUT),
        interrupt: &CancellationToken::new(),
        http: None,
        commands: Some(&commands),
    };
    let thread = std::thread::spawn(move || play(Hostile(theirs)));
    let ended = worker.call(request).await;
    // Closes the channel, which ends the thread.
    drop((worker, commands));
    thread.join().unwrap();
    process.wait().unwrap();
    Some(ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn command_without_a_grant_is_not_started_by_the_program() {
    let (sender, steps) = mpsc::channel();
    let set = |name: &str| vec![(name.to_owned(), "/tmp/x".to_owned())];
    let requests = [
        CommandRequest { program: "id".to_owned(), ..CommandRequest::default() },
        CommandRequest { program: "/bin/sh".to_owned(), ..CommandRequest::default() },
        CommandRequest { environment: set("LD_PRELOAD"), ..shell("true") },
        CommandRequest { environment: set("UNGRANTED"), ..shell("true") },
        CommandRequest { directory: Some("../..".to_owned()), ..shell("true") },
        shell("\0"),
    ];
    let call = call_with(move |worker| {
        for request in &requests {
            worker.start(0, request);
            sender.send(worker.receive().unwrap().0.step).unwrap();
        }
        worker.end_call();
    });
    let Some(ended) = call.await else { return };
    assert_eq!(ended.unwrap().value, Ok(vec![0xc0]));
    let texts = ["`id`", "`/bin/sh`", "LD_PRELOAD", "UNGRANTED", "`../..`", "zero byte"];
    for (step, text) in steps.iter().zip(texts) {
        let message = match step {
            CommandReportStep::Denied { what, .. } => what,
            CommandReportStep::Unstarted(StartError { message, .. }) => message,
            other => panic!("{other:?}"),
        };
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn worker_receives_the_pipes_and_the_end_of_its_command() {
    let piped = CommandStream::Piped;
    let request = CommandRequest { stdin: piped, stdout: piped, ..shell("tr a b; exit 7") };
    let (sender, seen) = mpsc::channel();
    let call = call_with(move |worker| {
        worker.start(0, &request);
        let (report, pipes) = worker.receive().unwrap();
        assert_eq!(report, CommandReport { command: 0, step: CommandReportStep::Started });
        let [stdin, stdout] = pipes.try_into().unwrap();
        File::from(stdin).write_all(b"aha").unwrap();
        let end = worker.receive().unwrap().0;
        let mut text = String::new();
        // The pipe doesn't block, but the command has ended.
        File::from(stdout).read_to_string(&mut text).unwrap();
        sender.send((text, end)).unwrap();
        worker.end_call();
    });
    let Some(ended) = call.await else { return };
    assert!(ended.is_ok());
    let end = CommandReport { command: 0, step: CommandReportStep::Ended(CommandEnd::Exited(7)) };
    assert_eq!(seen.recv().unwrap(), ("bhb".to_owned(), end));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn worker_that_violates_the_protocol_loses_its_call() {
    type Play = fn(&Hostile);
    let plays: [(&str, Play); 4] = [
        ("doesn't have", |it| it.send(0, CommandStep::Kill, b"")),
        ("doesn't have", |it| it.start(1, &shell("true"))),
        ("malformed", |it| it.send(0, LAST, b"\x93")),
        ("too many concurrent", |it| {
            for command in 0..=COMMANDS as u64 {
                it.start(command, &shell("sleep 1000"));
                let _ = it.receive();
            }
        }),
    ];
    for (reason, play) in plays {
        let call = call_with(move |worker| {
            play(&worker);
            while worker.receive().is_some() {}
        });
        let Some(ended) = call.await else { return };
        let Err(Lost::Broken(error)) = ended else { panic!("not lost: {reason}") };
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// The pipe of a command closes when its last process has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn commands_end_with_their_call() {
    for is_lost in [false, true] {
        let (sender, output) = mpsc::channel();
        let call = call_with(move |worker| {
            let script = "sleep 1000 & echo started; sleep 1000";
            worker.start(0, &CommandRequest { stdout: CommandStream::Piped, ..shell(script) });
            let (_, pipes) = worker.receive().unwrap();
            sender.send(File::from(pipes.into_iter().next().unwrap())).unwrap();
            match is_lost {
                true => drop(worker),
                false => worker.end_call(),
            }
        });
        let Some(ended) = call.await else { return };
        assert_eq!(ended.is_err(), is_lost);
        let mut text = String::new();
        // The read of an empty pipe fails while a process can write to it, since it doesn't block.
        output.recv().unwrap().read_to_string(&mut text).unwrap();
        assert!(["", "started\n"].contains(&&*text), "{text}");
    }
}
