//! Runs that somebody attaches to, by a submitter whose daemon fails.

use std::time::Duration;

use futures::future::join_all;
use hype_stage::Stage;
use hype_wire::{
    Blob, Call, ComponentRef, End, Job, Lease, Outcome, Payload, RunKey, RunManifest, Statistics,
    codec, names, seal,
};
use serde_json::json;

use super::{CONTAINER, FAULTS, RUN};
use crate::error::Result;
use crate::run::submitter::{Submitter, submitter_with_lease_term};
use crate::runner::DockerRunner;
use crate::runner::docker::scripted::{Answer, Container, Scripted};

const TERM: Duration = Duration::from_millis(300);

/// A detached run in a stage of its own, and its container.
struct Detached {
    daemon: Scripted,
    stage: Stage,
    submitter: Submitter,
    key: RunKey,
    _directory: tempfile::TempDir,
}

impl Detached {
    async fn new() -> Self {
        let (daemon, directory) = (Scripted::start().await, tempfile::tempdir().unwrap());
        let stage = Stage::in_directory(directory.path()).unwrap();
        let runner = DockerRunner::at(daemon.host()).unwrap();
        let runner = runner.with_patience(Duration::from_millis(100)).unwrap();
        let submitter = submitter_with_lease_term(stage.clone(), runner, TERM).unwrap();
        let submitter = submitter.with_strict_results();
        let component = ComponentRef { name: "guests.wasm".into(), blob: Blob::of(b"component") };
        let arguments = Payload::Inline(Vec::new().into());
        let mut manifest =
            RunManifest::new(RUN, Job::new(component), Call::closure("greet", arguments));
        manifest.place = Some("docker:m:unix:///var/run/docker.sock".into());
        stage.put(&names::manifest(RUN), manifest.to_bytes().unwrap().into()).await.unwrap();
        let mut lease = Lease::new(RUN, "greet", "hype-owner-gone", TERM);
        lease.detached = true;
        stage.put(&names::lease(RUN), lease.to_bytes().unwrap().into()).await.unwrap();
        let key = RunKey::new([7; 32]);
        let labels = json!({"com.spotify.hype/run": RUN, "com.spotify.hype/key": key.reveal()});
        let container = Container { body: json!({"Labels": labels}), starts: 1, status: None };
        daemon.make(CONTAINER, container);
        Self { daemon, stage, submitter, key, _directory: directory }
    }

    /// Lets its closure end with a value.
    async fn end(&self) {
        let value = codec::to_vec(&"hello you").unwrap();
        let end = End::Value(Payload::Inline(value.into()));
        let outcome = Outcome::new(RUN, 1, end, Statistics::default()).to_bytes().unwrap();
        let outcome = seal(outcome, &self.key).unwrap();
        self.stage.put(&names::outcome(RUN), outcome.into()).await.unwrap();
        self.daemon.end(CONTAINER, 0).await;
    }

    async fn attach(&self) -> Result<String> {
        self.submitter.attach::<String>(RUN).wait().await
    }

    /// How many containers and objects of the run there are.
    async fn left(&self) -> (usize, usize) {
        let mut objects = 0;
        for name in [names::manifest(RUN), names::lease(RUN), names::outcome(RUN)] {
            objects += usize::from(self.stage.has(&name).await.unwrap());
        }
        (self.daemon.containers().len(), objects)
    }

    /// Lets all requests of this kind fail so.
    fn fail(&self, request: &str, fault: Answer) {
        for _ in 0..1000 {
            self.daemon.answer(request, fault);
        }
    }
}

const REQUESTS: [&str; 5] = [
    "GET info",
    "GET containers/json",
    "GET containers/hype-run-abcdefghij-1/logs",
    "POST containers/hype-run-abcdefghij-1/wait",
    "DELETE containers",
];

/// Each request fails for as long as it is made, and later doesn't: the value is there, then or now.
#[tokio::test(flavor = "multi_thread")]
async fn failed_request_loses_neither_run_nor_value() {
    let cases = REQUESTS.iter().flat_map(|request| FAULTS.map(|fault| (*request, fault)));
    let cases = cases.map(|(request, fault)| async move {
        let run = Detached::new().await;
        run.end().await;
        run.fail(request, fault);
        let before = run.left().await;
        let value = match run.attach().await {
            Ok(value) => value,
            Err(error) => {
                let report = error.report();
                assert!(report.contains("the run is as it was"), "{request} {fault:?}: {report}");
                assert_eq!(run.left().await, before, "{request} {fault:?}: {report}");
                run.daemon.forget_answers();
                run.attach().await.unwrap()
            }
        };
        assert_eq!(value, "hello you", "{request} {fault:?}");
    });
    join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn running_container_survives_daemon_that_breaks_down_while_it_is_attached_to() {
    for request in ["GET info", "GET containers/json"] {
        let run = Detached::new().await;
        run.fail(request, Answer::Refusal(500));
        let report = run.attach().await.unwrap_err().report();
        assert!(report.contains(&format!("submitter.attach::<T>(\"{RUN}\")")), "{report}");
        assert_eq!(run.left().await, (1, 2));
        run.daemon.forget_answers();
        run.end().await;
        assert_eq!(run.attach().await.unwrap(), "hello you");
        assert_eq!(run.left().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_fails_once_is_repeated() {
    for fault in [Answer::Refusal(500), Answer::Refusal(503), Answer::CutOff] {
        let run = Detached::new().await;
        run.end().await;
        run.daemon.answer("GET containers/json", fault);
        assert_eq!(run.attach().await.unwrap(), "hello you");
        assert_eq!(run.left().await, (0, 0));
    }
}
