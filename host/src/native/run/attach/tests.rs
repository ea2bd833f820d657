//! A submitter of this process that attaches to runs of others, which nobody drives here.

use std::time::Duration;

use hype_stage::Stage;
use hype_wire::{
    Blob, Call, ComponentRef, End, Job, Lease, Outcome, Payload, RunManifest, Statistics, codec,
    names,
};

use crate::error::ErrorKind;
use crate::run::submitter::{Submitter, submitter_with_lease_term};
use crate::runner::LocalRunner;

const RUN: &str = "hype-run-abcdefghij";
const TERM: Duration = Duration::from_millis(300);
const DOCKER: &str = "docker:build-7:unix:///var/run/docker.sock";
const KUBERNETES: &str = "kubernetes:team-a";

/// A run in a stage of its own, and a local submitter.
struct Foreign {
    stage: Stage,
    submitter: Submitter,
    _directory: tempfile::TempDir,
}

impl Foreign {
    /// A run that was started in `place`, and detached or killed.
    async fn new(place: &str, is_detached: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let runner = LocalRunner::new().unwrap();
        let runner = runner.with_volumes(directory.path().join("volumes")).unwrap();
        let submitter = submitter_with_lease_term(stage.clone(), runner, TERM).unwrap();
        let component = ComponentRef { name: "guests.wasm".into(), blob: Blob::of(b"component") };
        let arguments = Payload::Inline(Vec::new().into());
        let mut manifest =
            RunManifest::new(RUN, Job::new(component), Call::closure("greet", arguments));
        manifest.place = Some(place.into());
        stage.put(&names::manifest(RUN), manifest.to_bytes().unwrap().into()).await.unwrap();
        let mut lease = Lease::new(RUN, "greet", "hype-owner-gone", TERM);
        lease.detached = is_detached;
        stage.put(&names::lease(RUN), lease.to_bytes().unwrap().into()).await.unwrap();
        Self { stage, submitter, _directory: directory }
    }

    async fn end(&self) {
        let value = codec::to_vec(&"hello you").unwrap();
        let end = End::Value(Payload::Inline(value.into()));
        let outcome = Outcome::new(RUN, 1, end, Statistics::default()).to_bytes().unwrap();
        self.stage.put(&names::outcome(RUN), outcome.into()).await.unwrap();
    }

    async fn objects(&self) -> usize {
        let mut objects = 0;
        for name in [names::manifest(RUN), names::lease(RUN), names::outcome(RUN)] {
            objects += usize::from(self.stage.has(&name).await.unwrap());
        }
        objects
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local_attacher_leaves_run_that_it_cannot_look_for() {
    for (place, told, way) in [
        (
            DOCKER,
            "in Docker, by the daemon at unix:///var/run/docker.sock of the machine build-7",
            "Submitter::docker()",
        ),
        (KUBERNETES, "in Kubernetes, namespace team-a", "Submitter::kubernetes()"),
        ("slurm:queue", "in slurm:queue", "the runner that started it"),
    ] {
        for is_detached in [true, false] {
            let run = Foreign::new(place, is_detached).await;
            let error = run.submitter.attach::<String>(RUN).wait().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Input, "{error:?}");
            let report = error.report();
            assert!(report.starts_with(&format!("{RUN} was started {told}")), "{report}");
            assert!(report.contains("which runs things in this process, cannot look"), "{report}");
            assert!(report.contains("the run is as it was") && report.contains(way), "{report}");
            assert_eq!(run.objects().await, 2, "{report}");
            run.end().await;
            let value = run.submitter.attach::<String>(RUN).wait().await.unwrap();
            assert_eq!(value, "hello you");
            // Only then it is known whether its owner is gone.
            run.submitter.clone().close().await.unwrap();
            assert_eq!(run.objects().await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local_attacher_is_told_at_once_of_detached_run_elsewhere() {
    let run = Foreign::new(DOCKER, true).await;
    let runner = LocalRunner::new().unwrap();
    let term = Duration::from_secs(3600);
    let submitter = submitter_with_lease_term(run.stage.clone(), runner, term).unwrap();
    let attached = submitter.attach::<String>(RUN);
    let told = tokio::time::timeout(Duration::from_secs(30), attached.wait()).await.unwrap();
    assert!(told.unwrap_err().report().contains("attach by Submitter::docker()"));
    assert_eq!(run.objects().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn local_attacher_cannot_cancel_run_that_it_cannot_stop() {
    let run = Foreign::new(DOCKER, true).await;
    let error = run.submitter.attach::<String>(RUN).cancel().await.unwrap_err();
    let report = error.report();
    assert!(report.contains("cancel it by Submitter::docker() on that machine"), "{report}");
    assert_eq!(run.objects().await, 2);
}
