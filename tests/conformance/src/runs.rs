//! A run in the hands of whoever started it: followed, waited for, cancelled, left alone.

use futures::StreamExt;
use hype::{ErrorKind, HostDirectory, LogLine, RunEnvironment, Status, Submitter};
use test_guests::surroundings::{say, say_then_wait_for};
use test_guests::values::greet;

/// A run that has said "waiting" and goes on when `release` is called.
struct Waiting {
    directory: tempfile::TempDir,
    run: hype::Run<String>,
    log: Box<dyn futures::Stream<Item = LogLine> + Send + Unpin>,
}

impl Waiting {
    async fn start(submitter: &Submitter) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mount = HostDirectory::new(directory.path()).mount_read_only("/signal");
        let env = RunEnvironment::new().with_mount(mount);
        let closure = say_then_wait_for("waiting".into(), "/signal/go".into());
        let run = submitter.spawn(closure, &env);
        let mut log = Box::new(run.logs());
        assert_eq!(log.next().await.map(|line| line.text).as_deref(), Some("waiting"));
        Self { directory, run, log }
    }

    fn release(directory: &tempfile::TempDir) {
        std::fs::write(directory.path().join("go"), "").unwrap();
    }
}

pub async fn a_run_goes_on_by_itself(submitter: &Submitter) {
    let run = submitter.spawn(greet("you".into()), &RunEnvironment::new());
    assert!(run.id().starts_with("hype-run-"), "{run:?}");
    let lines: Vec<_> = run.logs().collect().await;
    assert_eq!((lines.len(), run.status()), (0, Status::Ended));
    assert_eq!(run.wait().await.unwrap(), "hello you");
}

pub async fn output_is_followed_while_it_runs(submitter: &Submitter) {
    let mut waiting = Waiting::start(submitter).await;
    assert_eq!(waiting.run.status(), Status::Running(1));
    Waiting::release(&waiting.directory);
    assert_eq!(waiting.log.next().await.map(|line| line.text).as_deref(), Some("going"));
    assert_eq!(waiting.log.next().await, None);
    assert_eq!(waiting.run.wait().await.unwrap(), "gone");
}

pub async fn both_streams_are_told_apart(submitter: &Submitter) {
    let run = submitter.spawn(say("out\nmore".into(), "err\n".into()), &RunEnvironment::new());
    let lines: Vec<_> = run.logs().map(|line| (line.stream, line.text)).collect().await;
    for (stream, text) in [
        (hype::LogStream::Stdout, "out"),
        (hype::LogStream::Stdout, "more"),
        (hype::LogStream::Stderr, "err"),
    ] {
        assert!(lines.contains(&(stream, text.to_owned())), "{lines:?}");
    }
    run.wait().await.unwrap();
}

pub async fn what_a_terminal_would_obey_is_not_shown(submitter: &Submitter) {
    let run = submitter.spawn(say("\x1b[2Jgone\n".into(), String::new()), &RunEnvironment::new());
    let lines: Vec<_> = run.logs().collect().await;
    assert_eq!(lines[0].text, "\u{fffd}[2Jgone");
}

pub async fn a_cancelled_run_does_no_more(submitter: &Submitter) {
    let Waiting { directory, run, log } = Waiting::start(submitter).await;
    run.cancel().await.unwrap();
    Waiting::release(&directory);
    assert_eq!(log.collect::<Vec<_>>().await, []);
}

pub async fn a_dropped_run_does_no_more(submitter: &Submitter) {
    let Waiting { directory, run, log } = Waiting::start(submitter).await;
    drop(run);
    // The log ends when the closure is gone.
    assert_eq!(log.collect::<Vec<_>>().await, []);
    Waiting::release(&directory);
}

pub async fn a_detached_run_can_be_collected(submitter: &Submitter) {
    let Waiting { directory, run, log } = Waiting::start(submitter).await;
    let id = run.detach();
    Waiting::release(&directory);
    assert_eq!(log.collect::<Vec<_>>().await.len(), 1);
    assert_eq!(submitter.attach::<String>(&id).wait().await.unwrap(), "gone");
    let error = submitter.attach::<String>(&id).wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost);
    assert_eq!(error.to_string(), format!("run {id} was lost"));
}
