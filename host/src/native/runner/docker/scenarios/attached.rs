//! Tests of attaching to runs against a fake daemon with injected faults.

mod listed;

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
use crate::run::key_store::KeyStore;
use crate::run::submitter::{Submitter, submitter_with_lease_term};
use crate::runner::DockerRunner;
use crate::runner::docker::fake_daemon::{Container, FakeDaemon, Fault};

const TERM: Duration = Duration::from_millis(300);

/// A detached run with its own stage, and its container.
struct Detached {
    daemon: FakeDaemon,
    stage: Stage,
    submitter: Submitter,
    key: RunKey,
    keys: KeyStore,
    _directory: tempfile::TempDir,
}

impl Detached {
    async fn new() -> Self {
        let (daemon, directory) = (FakeDaemon::start().await, tempfile::tempdir().unwrap());
        let stage = Stage::in_directory(directory.path()).unwrap();
        let runner = DockerRunner::at(daemon.host()).unwrap();
        let runner = runner.with_reconnect_timeout(Duration::from_millis(100)).unwrap();
        let keys = KeyStore::at(&directory.path().join("state/keys"));
        let runner = runner.with_keys(keys.clone()).unwrap();
        let submitter = submitter_with_lease_term(stage.clone(), runner, TERM).unwrap();
        let submitter = submitter.with_strict_results();
        let component = ComponentRef { name: "guests.wasm".into(), blob: Blob::of(b"component") };
        let arguments = Payload::Inline(Vec::new().into());
        let mut manifest = RunManifest::new(
            RUN.parse().unwrap(),
            Job::new(component),
            Call::closure("greet", arguments),
        );
        manifest.place = Some("docker:m:unix:///var/run/docker.sock".into());
        stage.put(&names::manifest(RUN), manifest.to_bytes().unwrap().into()).await.unwrap();
        let mut lease = Lease::new(RUN.parse().unwrap(), "greet", "hype-owner-gone", TERM);
        lease.detached = true;
        stage.put(&names::lease(RUN), lease.to_bytes().unwrap().into()).await.unwrap();
        let key = RunKey::new([7; 32]);
        // The process that started the run has written it.
        keys.write(RUN, &key, "1").unwrap();
        let labels = json!({"com.spotify.hype/run": RUN});
        let container =
            Container { body: json!({"Labels": labels}), starts: 1, ..Container::default() };
        daemon.add_container(CONTAINER, container);
        Self { daemon, stage, submitter, key, keys, _directory: directory }
    }

    /// Ends the closure with a value.
    async fn end(&self) {
        let value = codec::to_vec(&"hello you").unwrap();
        let end = End::Value(Payload::Inline(value.into()));
        let outcome =
            Outcome::new(RUN.parse().unwrap(), 1, end, Statistics::default()).to_bytes().unwrap();
        let outcome = seal(outcome, &self.key).unwrap();
        self.stage.put(&names::outcome(RUN), outcome.into()).await.unwrap();
        self.daemon.end(CONTAINER, 0).await;
    }

    async fn attach(&self) -> Result<String> {
        self.submitter.attach::<String>(RUN).wait().await
    }

    /// Returns the number of containers and the number of stage objects of the run.
    async fn remaining(&self) -> (usize, usize) {
        let mut objects = 0;
        for name in [names::manifest(RUN), names::lease(RUN), names::outcome(RUN)] {
            objects += usize::from(self.stage.has(&name).await.unwrap());
        }
        (self.daemon.containers().len(), objects)
    }

    /// Injects the fault into all requests of this kind.
    fn fail(&self, request: &str, fault: Fault) {
        for _ in 0..1000 {
            self.daemon.inject(request, fault);
        }
    }
}

const REQUESTS: [&str; 5] = [
    "GET info",
    "GET containers/json",
    "GET containers/id-of-hype-run-abcdefghij-1/logs",
    "POST containers/id-of-hype-run-abcdefghij-1/wait",
    "DELETE containers",
];

/// A request fails permanently, and later succeeds: the value is available at once or then.
#[tokio::test(flavor = "multi_thread")]
async fn attach_survives_failed_requests() {
    let cases = REQUESTS.iter().flat_map(|request| FAULTS.map(|fault| (*request, fault)));
    let cases = cases.map(|(request, fault)| async move {
        let run = Detached::new().await;
        run.end().await;
        run.fail(request, fault);
        let before = run.remaining().await;
        let value = match run.attach().await {
            Ok(value) => value,
            Err(error) => {
                let report = error.report();
                assert!(report.contains("the run is as it was"), "{request} {fault:?}: {report}");
                assert_eq!(run.remaining().await, before, "{request} {fault:?}: {report}");
                run.daemon.clear_faults();
                run.attach().await.unwrap()
            }
        };
        assert_eq!(value, "hello you", "{request} {fault:?}");
    });
    join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn running_container_survives_daemon_errors() {
    for request in ["GET info", "GET containers/json"] {
        let run = Detached::new().await;
        run.fail(request, Fault::Error(500));
        let report = run.attach().await.unwrap_err().report();
        assert!(report.contains(&format!("submitter.attach::<T>(\"{RUN}\")")), "{report}");
        assert_eq!(run.remaining().await, (1, 2));
        run.daemon.clear_faults();
        run.end().await;
        assert_eq!(run.attach().await.unwrap(), "hello you");
        assert_eq!(run.remaining().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_fails_once_is_retried() {
    for fault in [Fault::Error(500), Fault::Error(503), Fault::Disconnect] {
        let run = Detached::new().await;
        run.end().await;
        run.daemon.inject("GET containers/json", fault);
        assert_eq!(run.attach().await.unwrap(), "hello you");
        assert_eq!(run.remaining().await, (0, 0));
    }
}

/// Another user of this machine, or a user of another machine, has no key.
#[tokio::test(flavor = "multi_thread")]
async fn attachment_without_the_users_key_is_unverified() {
    let run = Detached::new().await;
    run.end().await;
    run.keys.delete(RUN).unwrap();
    let before = run.remaining().await;
    let report = run.attach().await.unwrap_err().report();
    assert!(report.contains("its outcome is unverified"), "{report}");
    assert!(report.contains("as the user and on the machine that started it"), "{report}");
    assert_eq!(run.remaining().await, before);
    run.keys.write(RUN, &run.key, "1").unwrap();
    assert_eq!(run.attach().await.unwrap(), "hello you");
    assert_eq!((run.remaining().await, run.keys.find(RUN)), ((0, 0), None));
}
