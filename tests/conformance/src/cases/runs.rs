//! Lifecycle of a run: follow, wait, cancel, drop, detach and attach.

use futures::StreamExt;
use hype::run::{LogLine, Status};
use hype::{ErrorKind, HostDirectory, RunEnvironment, Submitter, VolumeRequest};
use test_guests::surroundings::{log_all, say, say_then_wait_for, write};
use test_guests::values::greet;

/// A run that has printed "waiting" and continues when `release` is called.
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

pub async fn run_proceeds_without_polling(submitter: &Submitter) {
    let run = submitter.spawn(greet("you".into()), &RunEnvironment::new());
    assert!(run.id().starts_with("hype-run-"), "{run:?}");
    let lines: Vec<_> = run.logs().collect().await;
    assert_eq!((lines.len(), run.status()), (0, Status::Ended));
    assert_eq!(run.wait().await.unwrap(), "hello you");
}

pub async fn log_follows_running_closure(submitter: &Submitter) {
    let mut waiting = Waiting::start(submitter).await;
    assert_eq!(waiting.run.status(), Status::Running(1));
    Waiting::release(&waiting.directory);
    assert_eq!(waiting.log.next().await.map(|line| line.text).as_deref(), Some("going"));
    assert_eq!(waiting.log.next().await, None);
    assert_eq!(waiting.run.wait().await.unwrap(), "gone");
}

pub async fn log_separates_stdout_and_stderr(submitter: &Submitter) {
    let run = submitter.spawn(say("out\nmore".into(), "err\n".into()), &RunEnvironment::new());
    let lines: Vec<_> = run.logs().map(|line| (line.stream, line.text)).collect().await;
    for (stream, text) in [
        (hype::run::LogStream::Stdout, "out"),
        (hype::run::LogStream::Stdout, "more"),
        (hype::run::LogStream::Stderr, "err"),
    ] {
        assert!(lines.contains(&(stream, text.to_owned())), "{lines:?}");
    }
    run.wait().await.unwrap();
}

pub async fn log_replaces_control_characters(submitter: &Submitter) {
    let run = submitter.spawn(say("\x1b[2Jgone\n".into(), String::new()), &RunEnvironment::new());
    let lines: Vec<_> = run.logs().collect().await;
    assert_eq!(lines[0].text, "\u{fffd}[2Jgone");
}

pub async fn log_records_of_closure_are_output(submitter: &Submitter) {
    let target = "test_guests::surroundings";
    let info = format!("INFO {target}: by log");
    let span = format!("INFO {target}: step; number=1");
    let warn = format!("WARN {target}: by tracing loss=0.5");
    let debug = ["log", "tracing"].map(|by| format!("DEBUG {target}: by {by}"));
    for (choice, expected) in [
        (None, vec![info.clone(), span.clone(), warn.clone()]),
        (Some("warn"), vec![warn.clone()]),
        (
            Some("off,test_guests=debug"),
            vec![debug[0].clone(), info.clone(), span.clone(), debug[1].clone(), warn.clone()],
        ),
    ] {
        let env = RunEnvironment::new();
        let env = choice.map_or(env.clone(), |choice| env.with_env("RUST_LOG", choice));
        let run = submitter.spawn(log_all(), &env);
        let lines: Vec<_> = run.logs().collect().await;
        assert!(lines.iter().all(|line| line.stream == hype::run::LogStream::Stderr), "{lines:?}");
        let lines: Vec<_> = lines.into_iter().map(|line| line.text).collect();
        assert_eq!(lines, expected);
        run.wait().await.unwrap();
    }
}

pub async fn cancelled_run_stops(submitter: &Submitter) {
    let Waiting { directory, run, log } = Waiting::start(submitter).await;
    run.cancel().await.unwrap();
    Waiting::release(&directory);
    assert_eq!(log.collect::<Vec<_>>().await, []);
}

pub async fn dropped_run_stops(submitter: &Submitter) {
    let Waiting { directory, run, log } = Waiting::start(submitter).await;
    drop(run);
    // The log ends when the closure has stopped.
    assert_eq!(log.collect::<Vec<_>>().await, []);
    Waiting::release(&directory);
}

pub async fn detached_run_can_be_attached_once(submitter: &Submitter) {
    let Waiting { directory, run, log } = Waiting::start(submitter).await;
    let id = run.detach().await.unwrap();
    Waiting::release(&directory);
    assert_eq!(log.collect::<Vec<_>>().await.len(), 1);
    assert_eq!(submitter.attach::<String>(&id).wait().await.unwrap(), "gone");
    let error = submitter.attach::<String>(&id).wait().await.unwrap_err();
    assert_no_run(&error, &id);
}

fn assert_no_run(error: &hype::Error, id: &str) {
    assert_eq!(error.kind(), ErrorKind::Input, "{error:?}");
    assert!(error.to_string().starts_with(&format!("there is no run {id} in ")), "{error:?}");
}

pub async fn run_can_be_attached_before_it_ends(submitter: &Submitter) {
    let Waiting { directory, run, .. } = Waiting::start(submitter).await;
    let id = run.detach().await.unwrap();
    let attached = tokio::spawn(submitter.attach::<String>(&id).wait());
    tokio::task::yield_now().await;
    Waiting::release(&directory);
    assert_eq!(attached.await.unwrap().unwrap(), "gone");
    assert_no_run(&submitter.attach::<String>(&id).wait().await.unwrap_err(), &id);
}

pub async fn ended_run_can_be_detached(submitter: &Submitter) {
    let run = submitter.spawn(greet("you".into()), &RunEnvironment::new());
    // The log ends with the run.
    assert_eq!(run.logs().count().await, 0);
    let id = run.detach().await.unwrap();
    assert_eq!(submitter.attach::<String>(&id).wait().await.unwrap(), "hello you");
    assert_no_run(&submitter.attach::<String>(&id).wait().await.unwrap_err(), &id);
}

pub async fn run_on_transient_volume_cannot_be_detached(submitter: &Submitter) {
    let volume = VolumeRequest::transient("local-disk", "10Mi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_write("/volume"));
    let run = submitter.spawn(write("/volume/word".into(), "one".into()), &env);
    let refused = run.detach().await.unwrap_err();
    assert_eq!(refused.error().kind(), ErrorKind::Input);
    let expected = format!("a run on the transient volume {} cannot be detached", volume.name());
    assert_eq!(refused.to_string(), expected);
    refused.into_run().wait().await.unwrap();
}

pub async fn attacher_leaves_run_to_its_owner(submitter: &Submitter) {
    let Waiting { directory, run, .. } = Waiting::start(submitter).await;
    let attached = submitter.attach::<String>(run.id());
    Waiting::release(&directory);
    assert_eq!(attached.wait().await.unwrap(), "gone");
    let id = run.id().to_owned();
    assert_eq!(submitter.attach::<String>(&id).wait().await.unwrap(), "gone");
    assert_eq!(run.wait().await.unwrap(), "gone");
    assert_no_run(&submitter.attach::<String>(&id).wait().await.unwrap_err(), &id);
}

pub async fn run_can_be_detached_while_staging(submitter: &Submitter) {
    let run = submitter.spawn(greet("you".into()), &RunEnvironment::new());
    let id = run.detach().await.unwrap();
    assert_eq!(submitter.attach::<String>(&id).wait().await.unwrap(), "hello you");
    assert_no_run(&submitter.attach::<String>(&id).wait().await.unwrap_err(), &id);
}

pub async fn unstageable_run_cannot_be_detached(submitter: &Submitter) {
    let env = RunEnvironment::new().with_file("/nonexistent/file", "/file");
    match submitter.spawn(greet("you".into()), &env).detach().await {
        Err(refused) => {
            assert_eq!(refused.error().kind(), ErrorKind::Input, "{refused:?}");
            let error = refused.into_run().wait().await.unwrap_err();
            assert!(error.report().contains("/nonexistent/file"), "{error:?}");
        }
        // A run that ends with its program is detached immediately.
        Ok(id) => drop(submitter.attach::<String>(&id).wait().await.unwrap_err()),
    }
}

pub async fn attacher_keeps_run_after_error_or_drop(submitter: &Submitter) {
    let Waiting { directory, run, .. } = Waiting::start(submitter).await;
    let id = run.detach().await.unwrap();
    drop(submitter.attach::<String>(&id));
    let wait = tokio::spawn(submitter.attach::<String>(&id).wait());
    tokio::task::yield_now().await;
    wait.abort();
    Waiting::release(&directory);
    let error = submitter.attach::<u64>(&id).wait().await.unwrap_err();
    let hint = format!("submitter.attach::<TYPE>(\"{id}\")");
    assert!(error.report().contains(&hint), "{error:?}");
    assert_eq!(submitter.attach::<String>(&id).wait().await.unwrap(), "gone");
    assert_no_run(&submitter.attach::<String>(&id).wait().await.unwrap_err(), &id);
}

pub async fn one_of_two_attachers_gets_the_value(submitter: &Submitter) {
    let Waiting { directory, run, .. } = Waiting::start(submitter).await;
    let id = run.detach().await.unwrap();
    let waits = [0, 1].map(|_| tokio::spawn(submitter.attach::<String>(&id).wait()));
    Waiting::release(&directory);
    let ends: Vec<_> =
        futures::future::join_all(waits).await.into_iter().map(Result::unwrap).collect();
    assert!(ends.iter().any(|end| end.as_deref().is_ok_and(|value| value == "gone")), "{ends:?}");
    for end in ends {
        assert!(end.as_deref().map_or_else(|_| true, |value| value == "gone"), "{end:?}");
    }
    assert_no_run(&submitter.attach::<String>(&id).wait().await.unwrap_err(), &id);
}

pub async fn attached_run_can_be_cancelled(submitter: &Submitter) {
    let Waiting { directory, run, log } = Waiting::start(submitter).await;
    let id = run.detach().await.unwrap();
    submitter.attach::<String>(&id).cancel().await.unwrap();
    Waiting::release(&directory);
    assert_eq!(log.collect::<Vec<_>>().await, []);
    assert_no_run(&submitter.attach::<String>(&id).wait().await.unwrap_err(), &id);
}

pub async fn invalid_run_id_fails_fast(submitter: &Submitter) {
    for id in ["", "..", "a/b", "hype-run-\u{e4}"] {
        let error = submitter.attach::<String>(id).wait().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert_eq!(error.to_string(), format!("`{id}` cannot be a run's name"));
    }
    let error = submitter.attach::<String>("hype-run-none").wait().await.unwrap_err();
    assert_no_run(&error, "hype-run-none");
}
