//! Tests of sockets: their rights, what they answer, and what is done with foreign bytes.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use hype_stage::{CollectMode, Stage};
use hype_wire::{ControlAction, ControlReply, ControlRequest, RunId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Cancelled;
use super::client::{self, collect_sockets_in, list_in};
use super::server::{MAX_READERS, Socket};
use crate::run::driven;
use crate::run::lease::{Lease, TERM};
use crate::run::log::{Log, LogStream};
use crate::run::registry::DrivenRun;
use crate::run::status::Status;
use crate::run::submitter::Submitter;
use crate::runner::LocalRunner;

/// A submitter that drives one run, and its socket in a separate directory.
struct Served {
    directory: tempfile::TempDir,
    candidates: Vec<PathBuf>,
    stage_url: String,
    id: RunId,
    log: Log,
    status: watch::Sender<Status>,
    cancel: CancellationToken,
    lease: Lease,
    serving: tokio::task::JoinHandle<()>,
    _submitter: Submitter,
}

impl Served {
    async fn start(id: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(&directory.path().join("stage")).unwrap();
        let submitter = Submitter::new(stage.clone(), LocalRunner::new().unwrap()).unwrap();
        let dispatcher = Arc::clone(submitter.dispatcher());
        let id: RunId = id.parse().unwrap();
        let (log, status) = (Log::silent(), watch::Sender::new(Status::Running(2)));
        let lease = Lease::new(&stage, &id, "train", TERM);
        lease.add_to_index("models.wasm").await;
        let cancel = CancellationToken::new();
        let run = DrivenRun {
            function: "train".into(),
            log: log.clone(),
            status: status.subscribe(),
            lease: lease.downgrade(),
            cancel: cancel.clone(),
        };
        driven::register(&dispatcher.registry, &id, &lease, run);
        let candidates = vec![directory.path().join("sockets")];
        let socket = Socket::bind(&candidates).unwrap();
        let serving = tokio::spawn(socket.serve(dispatcher));
        let stage_url = stage.url().to_owned();
        Self {
            directory,
            candidates,
            stage_url,
            id,
            log,
            status,
            cancel,
            lease,
            serving,
            _submitter: submitter,
        }
    }

    /// Returns the path of the only socket.
    fn socket(&self) -> PathBuf {
        let mut sockets = super::directory::sockets(&self.candidates);
        assert_eq!(sockets.len(), 1);
        sockets.remove(0)
    }

    async fn stop(self) -> (tempfile::TempDir, Vec<PathBuf>) {
        self.serving.abort();
        let _ = self.serving.await;
        (self.directory, self.candidates)
    }
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_user_can_reach_a_socket() {
    let served = Served::start("hype-run-socketmode").await;
    let socket = served.socket();
    assert_eq!((mode(socket.parent().unwrap()), mode(&socket)), (0o700, 0o600));
    let (directory, candidates) = served.stop().await;
    assert!(!socket.exists());
    fs::set_permissions(&candidates[0], Permissions::from_mode(0o770)).unwrap();
    let error = Socket::bind(&candidates).err().unwrap().to_string();
    assert!(error.contains("chmod go="), "{error}");
    fs::write(candidates[0].join("1-x.sock"), "").unwrap();
    assert!(super::directory::sockets(&candidates).is_empty());
    drop(directory);
}

#[tokio::test(flavor = "multi_thread")]
async fn submitter_lists_its_runs_of_a_stage() {
    let served = Served::start("hype-run-socketlist").await;
    let listed = list_in(&served.candidates, &served.stage_url).await;
    let [local] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((&local.run.run_id, local.run.attempt), (&served.id, 2));
    assert_eq!(
        (local.run.function.as_str(), local.run.component.as_str()),
        ("train", "models.wasm")
    );
    assert!(list_in(&served.candidates, "file:///other").await.is_empty());
    served.status.send_replace(Status::Ended);
    assert!(list_in(&served.candidates, &served.stage_url).await[0].run.has_ended);
    drop(served.lease);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_is_followed_from_its_tail() {
    let served = Served::start("hype-run-socketlogs").await;
    served.log.write(LogStream::Stdout, b"one\ntwo\n");
    let socket = served.socket();
    let mut lines = client::follow(&socket, &served.id, Some(1), true).await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap().text, "two");
    served.log.write(LogStream::Stderr, b"three\n");
    let line = lines.next().await.unwrap().unwrap();
    assert_eq!((line.stream, line.text.as_str()), (LogStream::Stderr, "three"));
    let kept = client::follow(&socket, &served.id, None, false).await.unwrap();
    let kept: Vec<_> = kept.map(|line| line.unwrap().text).collect().await;
    assert_eq!(kept, ["one", "two", "three"]);
    served.log.end();
    assert!(lines.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_leave_connections_for_other_requests() {
    let served = Served::start("hype-run-socketfull").await;
    served.log.write(LogStream::Stdout, b"one\n");
    let socket = served.socket();
    let mut followers = Vec::new();
    for _ in 0..MAX_READERS {
        let mut lines = client::follow(&socket, &served.id, None, true).await.unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap().text, "one");
        followers.push(lines);
    }
    let mut rejected = client::follow(&socket, &served.id, None, true).await.unwrap();
    let report = rejected.next().await.unwrap().unwrap_err().report();
    assert!(report.contains("32 other commands read logs of this program"), "{report}");
    assert!(rejected.next().await.is_none());
    assert_eq!(list_in(&served.candidates, &served.stage_url).await.len(), 1);
    let other = "hype-run-other".parse().unwrap();
    assert_eq!(client::cancel(&socket, &other).await.unwrap(), Cancelled::Unknown);
    followers.pop();
    // The submitter notices the closed connection on its own time.
    loop {
        let mut lines = client::follow(&socket, &served.id, None, true).await.unwrap();
        if lines.next().await.unwrap().is_ok() {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_a_removed_run_is_an_error() {
    let served = Served::start("hype-run-socketgone").await;
    let other = "hype-run-other".parse().unwrap();
    let lines = client::follow(&served.socket(), &other, None, true).await.unwrap();
    let lines: Vec<_> = lines.collect().await;
    let [Err(error)] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(error.kind(), crate::error::ErrorKind::Input);
    assert!(error.report().contains("its program has removed it"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_is_cancelled_over_the_socket() {
    let served = Served::start("hype-run-socketstop").await;
    let (cancel, status) = (served.cancel.clone(), served.status.clone());
    let driver = tokio::spawn(async move {
        cancel.cancelled().await;
        status.send_replace(Status::Ended);
    });
    let cancelled = client::cancel(&served.socket(), &served.id).await.unwrap();
    assert_eq!(cancelled, Cancelled::Done);
    driver.await.unwrap();
    let other = "hype-run-other".parse().unwrap();
    let unknown = client::cancel(&served.socket(), &other).await.unwrap();
    assert_eq!(unknown, Cancelled::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn socket_of_ended_process_is_removed() {
    let served = Served::start("hype-run-socketdead").await;
    let dead = served.candidates[0].join("1-dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    let name = [format!("socket {}", dead.display())];
    let live = format!("socket {}", served.candidates[0].join("PID").display());
    for mode in [CollectMode::DryRun, CollectMode::Delete] {
        assert!(dead.exists());
        let collected = collect_sockets_in(&served.candidates, mode).await;
        assert_eq!(collected.removed, name);
        let [kept] = &collected.kept[..] else { panic!("{collected:?}") };
        assert!(kept.name.starts_with(live.trim_end_matches("PID")), "{kept:?}");
        assert_eq!(kept.reason, "its program is running");
    }
    assert!(!dead.exists() && served.socket().exists());
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    assert_eq!(list_in(&served.candidates, &served.stage_url).await.len(), 1);
    assert!(!dead.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn socket_without_its_final_name_is_removed_once_abandoned() {
    let served = Served::start("hype-run-socketnew").await;
    let paths = ["1-a.new", "2-b.new", "notes.new"].map(|name| served.candidates[0].join(name));
    let hour = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    for path in &paths {
        let file = fs::File::create(path).unwrap();
        if *path != paths[1] {
            file.set_modified(hour).unwrap();
        }
    }
    let collected = collect_sockets_in(&served.candidates, CollectMode::DryRun).await;
    assert_eq!(collected.removed, [format!("socket {}", paths[0].display())]);
    assert!(paths[0].exists());
    let _other = Socket::bind(&served.candidates).unwrap();
    assert_eq!(paths.map(|path| path.exists()), [false, true, true]);
}

/// Sends bytes to the socket, and returns the message of the failure that it replies; `None` if it replies nothing.
async fn failure(socket: &Path, bytes: &[u8]) -> Option<String> {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let length = stream.read_u32().await.ok()?;
    let mut reply = vec![0; length as usize];
    stream.read_exact(&mut reply).await.unwrap();
    match ControlReply::from_bytes(&reply).unwrap() {
        ControlReply::Failed(message) => Some(message),
        reply => panic!("{reply:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_rejected() {
    let served = Served::start("hype-run-socketjunk").await;
    let socket = served.socket();
    assert_eq!(failure(&socket, &u32::MAX.to_be_bytes()).await, None);
    assert_eq!(failure(&socket, &[0, 0, 0, 9, 1]).await, None);
    let junk = failure(&socket, &[0, 0, 0, 2, 0xc1, 0xc1]).await.unwrap();
    assert!(junk.contains("request to a submitter"), "{junk}");
    let mut newer = ControlRequest::new(ControlAction::List);
    (newer.format, newer.hype) = (99, "7.1.0".into());
    let newer = newer.to_bytes().unwrap();
    let message = [&(newer.len() as u32).to_be_bytes()[..], &newer].concat();
    let advice = failure(&socket, &message).await.unwrap();
    assert!(advice.contains("build the submitting program with hype 7.1.0"), "{advice}");
    assert_eq!(list_in(&served.candidates, &served.stage_url).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_submitter_is_skipped() {
    let served = Served::start("hype-run-socketmute").await;
    let mute = std::os::unix::net::UnixListener::bind(served.candidates[0].join("1-mute.sock"));
    let _mute = mute.unwrap();
    assert_eq!(list_in(&served.candidates, &served.stage_url).await.len(), 1);
}
